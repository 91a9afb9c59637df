package lbhttp_test

import (
	"os"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testnet"
)

// TestMain fails if goroutines of the package are left when all tests are over.
func TestMain(m *testing.M) {
	if kind := os.Getenv("LBHTTP_PROXY"); kind != "" {
		proxyMain(kind, os.Getenv("LBHTTP_BACKEND"))
		return
	}
	os.Exit(testnet.Main(m, "/lb/lb"))
}
