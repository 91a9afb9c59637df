package group_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/group"
)

// TestMain also is the process that tests stop and kill: a member that
// publishes all the time.
func TestMain(m *testing.M) {
	if cluster := os.Getenv("GROUP_TEST_CLUSTER"); cluster != "" {
		if err := victim(cluster, os.Getenv("GROUP_TEST_SEED")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

// leaks reports goroutines of ours or the server's that are left.
func leaks() int {
	var text string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		buf := make([]byte, 1<<20)
		text = string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(text, "ha/group.(") && !strings.Contains(text, "nats-server/v2/server.(") {
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "goroutines are left:\n"+text)
	return 1
}

func victim(cluster, seed string) error {
	g, err := group.New(group.Config{Name: "victim", Cluster: cluster, Seeds: []string{seed}, Secret: secret, Heartbeat: beat, Misses: 20})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // the parent is gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := g.Publish(ctx, "ticks", fmt.Appendf(nil, "%d", i)); err == nil && i == 0 {
				fmt.Println("publishing")
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := g.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// spawn starts the victim, and returns its process.
func spawn(t *testing.T, cluster, seed string) *os.Process {
	t.Helper()
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(me)
	cmd.Env = append(os.Environ(), "GROUP_TEST_CLUSTER="+cluster, "GROUP_TEST_SEED="+seed)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal("the member does not start: ", err)
	}
	return cmd.Process
}

// A member that is killed, or hangs, is out of the view after its heartbeats
// were missed, and subscriptions are told that its last messages may be
// missing. One that hung comes back.
func TestDeathOfAMemberIsTold(t *testing.T) {
	addrs := freeAddrs(t, 2)
	a, _ := start(t, group.Config{Name: "a", Cluster: addrs[0], Seeds: addrs[:1], Misses: 20})
	other := spawn(t, addrs[1], addrs[0])
	members(t, a, 2)
	for _, fault := range []struct {
		name   string
		signal syscall.Signal
	}{{"hangs", syscall.SIGSTOP}, {"killed", syscall.SIGKILL}} {
		t.Run(fault.name, func(t *testing.T) {
			ended := make(chan error, 1)
			came := make(chan bool, 1)
			go func() {
				ended <- a.Subscribe(t.Context(), "ticks", func([]byte) {
					select {
					case came <- true:
					default:
					}
				})
			}()
			<-came
			if err := other.Signal(fault.signal); err != nil {
				t.Fatal(err)
			}
			v := members(t, a, 1)
			if len(v.Changes) != 1 || v.Changes[0].Cause != group.Failed || v.Changes[0].Member.Name != "victim" {
				t.Errorf("changes %+v, want victim failed", v.Changes)
			}
			select {
			case err := <-ended:
				if e, ok := errors.AsType[*group.GapError](err); !ok || e.From != "victim" || e.Lost != 0 {
					t.Errorf("Subscribe = %v, want a gap of the victim's", err)
				}
			case <-time.After(patience):
				t.Fatal("Subscribe goes on")
			}
			if fault.signal != syscall.SIGSTOP {
				return
			}
			if err := other.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			members(t, a, 2)
		})
	}
}

// All subscribers see ordered messages in one order, and what was acknowledged
// outlives a member's death; without a majority nothing is acknowledged.
func TestOrderedIsOneOrderForAll(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	groups, stops := cluster(t, 3, func(i int, c *group.Config) {
		c.Dir, c.Replicas, c.Heartbeat = dirs[i], 3, 200*time.Millisecond
	})
	ctx := t.Context()
	until(t, "a majority that keeps messages", func() bool {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := groups[0].At(group.Ordered).Publish(try, "orders", []byte("first"))
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	var boxes []*inbox
	for _, g := range groups {
		in := receive(t, g.At(group.Ordered), "orders")
		in.hears(t, g.At(group.Ordered), "orders", "ready "+g.View().Members[0].Name)
		boxes = append(boxes, in)
	}
	const messages = 60
	errs := make(chan error, 3)
	for _, g := range groups {
		go func() {
			for k := range messages {
				if err := g.At(group.Ordered).Publish(ctx, "orders", fmt.Appendf(nil, "number %d", k)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range groups {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	numbers := func(in *inbox) []string {
		var list []string
		for _, m := range in.all() {
			if m.Gap != nil {
				t.Fatal(m.Gap)
			}
			if strings.HasPrefix(string(m.Data), "number") {
				list = append(list, fmt.Sprint(m.Seq, " ", m.From, " ", string(m.Data)))
			}
		}
		return list
	}
	for _, in := range boxes {
		until(t, "all messages", func() bool { return len(numbers(in)) == 3*messages })
	}
	first := strings.Join(numbers(boxes[0]), "\n")
	for i, in := range boxes {
		if got := strings.Join(numbers(in), "\n"); got != first {
			t.Fatalf("subscriber %d has another order", i)
		}
	}

	stops[2]() // two of three are a majority
	majority, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := groups[0].At(group.Ordered).Publish(majority, "orders", []byte("number of two")); err != nil {
		t.Fatal(err)
	}
	again := new(inbox)
	replayed, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		var err error
		for replayed.Err() == nil { // again if the majority was not ready
			again.mu.Lock()
			again.list = nil
			again.mu.Unlock()
			err = groups[0].At(group.Ordered).Replay(replayed, "orders", 0, func(m group.Message) {
				m.Data = append([]byte(nil), m.Data...)
				again.mu.Lock()
				defer again.mu.Unlock()
				again.list = append(again.list, m)
			})
		}
		done <- err
	}()
	until(t, "the replay", func() bool { return len(numbers(again)) == 3*messages+1 })
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Replay = %v", err)
	}
	if got := strings.Join(numbers(again)[:3*messages], "\n"); got != first {
		t.Error("the replay has another order")
	}

	stops[1]() // one of three is none
	minority, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := groups[0].At(group.Ordered).Publish(minority, "orders", []byte("lonely")); !errors.Is(err, group.ErrNotStored) {
		t.Errorf("Publish = %v, want ErrNotStored", err)
	}
	if err := groups[0].Publish(ctx, "orders", []byte("fifo goes on")); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	addrs := freeAddrs(t, 1)
	start(t, group.Config{Name: "a", Listen: addrs[0]})
	b, err := group.New(group.Config{Name: "b", Listen: addrs[0], Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), addrs[0]) {
		t.Errorf("Run = %v, want an error about %s", err, addrs[0])
	}
}

func TestServerThatIsDown(t *testing.T) {
	g, err := group.New(group.Config{Name: "a", URL: "nats://127.0.0.1:1", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("Run = %v, want an error about 127.0.0.1:1", err)
	}
}
