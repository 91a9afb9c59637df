package testnet

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests and returns the exit code for os.Exit, which is not 0 if
// goroutines are left in the end whose stacks have the word within, such as a
// part of an import path. They have until Patience to end. It is for TestMain.
func Main(m *testing.M, within string) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	var left string
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if left = leaked(within); left == "" {
			return 0
		}
	}
	fmt.Fprintf(os.Stderr, "goroutines are left:\n%s\n", left)
	return 1
}

func leaked(within string) string {
	buf := make([]byte, 1<<20)
	var left []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, within) && !strings.Contains(stack, "TestMain") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
