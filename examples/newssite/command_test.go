package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// command is this binary as the command newssite, with its temporary files in
// a folder of its own.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	temp = t.TempDir()
	cmd = exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "NEWSSITE_TEST_AS_COMMAND=1", "TMPDIR="+temp, secretVariable+"=")
	return cmd, temp
}

// start runs the command until it listens, and returns its address and what it
// does when it is sent a signal.
func start(t *testing.T, args ...string) (url string, end func(os.Signal) (code int, stderr, temp string)) {
	t.Helper()
	cmd, temp := command(t, append([]string{"-listen", "127.0.0.1:0", "-articles", "120"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func(sig os.Signal) (int, string, string) {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(sig)
			_ = cmd.Wait() // the exit code tells
		}
		return cmd.ProcessState.ExitCode(), stderr.String(), temp
	}
	t.Cleanup(func() { end(os.Kill) })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(line, "listening on ")
	if err != nil || !ok {
		_, text, _ := end(os.Kill)
		t.Fatalf("first line %q, %v: %s", line, err, text)
	}
	return "http://" + strings.TrimSpace(addr), end
}

func TestASignalEndsTheCommandAndRemovesItsFiles(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		url, end := start(t)
		for _, path := range []string{"/", "/healthz", "/stats.json"} {
			res, err := http.Get(url + path)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", path, res.StatusCode)
			}
		}
		code, stderr, temp := end(sig)
		if left, err := os.ReadDir(temp); code != 0 || err != nil || len(left) != 0 {
			t.Errorf("%v: exit %d, left behind %v, %v\n%s", sig, code, left, err, stderr)
		}
	}
}

// A comment that is half sent when the signal comes is stored and answered.
func TestRequestsUnderWayAreAnsweredAtTheEnd(t *testing.T) {
	url, end := start(t)
	res, err := http.DefaultTransport.RoundTrip(httptest.NewRequest(http.MethodGet, url+"/login?user=40", nil))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	cookies := make([]string, 0, 2)
	for _, c := range res.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	addr := strings.TrimPrefix(url, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := "article=1&body=Wait+for+me"
	if _, err := fmt.Fprintf(conn, "POST /comment HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", addr, strings.Join(cookies, "; "), len(body)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatal(line, err) // the form is not being read
	}
	ended := make(chan int)
	go func() {
		code, _, _ := end(syscall.SIGTERM)
		ended <- code
	}()
	for { // until nobody listens any more
		other, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		other.Close()
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if err != nil || !bytes.Contains(rest, []byte(" 303 ")) || !bytes.Contains(rest, []byte("Location: /news/article/1.html#comments")) {
		t.Errorf("%q, %v", rest, err)
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestAWrongCommandLineIsOneClearLineAndExit2(t *testing.T) {
	for want, args := range map[string][]string{
		`flag provided but not defined: -nonsense`:                            {"-nonsense"},
		`unexpected argument "here"`:                                          {"here"},
		`-cache is "maybe", want on or off`:                                   {"-cache=maybe"},
		`-nodes is 0, want 1 to 100`:                                          {"-nodes=0"},
		`-articles is 0, want 1 to 1000000`:                                   {"-articles", "0"},
		`invalid value "x" for flag -seed: parse error`:                       {"-seed", "x"},
		`-memcached is of no use with -cache=off`:                             {"-cache=off", "-memcached=127.0.0.1:11211"},
		`"nowhere" is not HOST:PORT`:                                          {"-memcached", "nowhere"},
		`database oracle://u:xxxxx@h/x: want sqlite, postgres:// or mysql://`: {"-db", "oracle://u:geheim@h/x"},
		`-db: database URL is malformed`:                                      {"-db", "postgres://u:geheim@h:port/x"},
		`-replica: the same database twice`:                                   {"-replica", "postgres://u:geheim@h/x", "-replica", "postgres://u:geheim@h/x"},
	} {
		checkFailure(t, 2, want, args...)
	}
}

// checkFailure runs the command, which must fail with this code and one line
// that has want in it.
func checkFailure(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	cmd, temp := command(t, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	_ = cmd.Run() // the exit code tells
	line := stderr.String()
	if cmd.ProcessState.ExitCode() != code || strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "newssite: ") || !strings.Contains(line, want) {
		t.Errorf("%v: exit %d, want %d and %q\n%s%s", args, cmd.ProcessState.ExitCode(), code, want, stdout.String(), line)
	}
	if strings.Contains(line, "geheim") {
		t.Errorf("%v: shows the password: %s", args, line)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("%v: only after %v", args, took)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("%v: left behind %v, %v", args, left, err)
	}
}

func TestWhatCannotBeUsedIsOneClearLineAndExit1(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	checkFailure(t, 1, "cannot listen on "+taken.Addr().String()+": bind: address already in use", "-listen", taken.Addr().String())
	checkFailure(t, 1, "connection refused", "-listen=127.0.0.1:0", "-db", "postgres://news:geheim@"+nobody+"/news")
	checkFailure(t, 1, "connection refused", "-listen=127.0.0.1:0", "-db", "mysql://news:geheim@"+nobody+"/news")
	checkFailure(t, 1, "copy.db: unable to open", "-listen=127.0.0.1:0", "-replica", "sqlite://"+filepath.ToSlash(filepath.Join(t.TempDir(), "not", "there", "copy.db")))
	checkFailure(t, 1, "news.db: unable to open", "-listen=127.0.0.1:0", "-db", "sqlite://"+filepath.ToSlash(filepath.Join(t.TempDir(), "not", "there", "news.db")))
	cmd, _ := command(t, "-listen=127.0.0.1:0", "-articles=5")
	cmd.Env = append(cmd.Env, secretVariable+"=geheim")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), secretVariable) || strings.Contains(string(out), "geheim") {
		t.Errorf("a short secret: %v\n%s", err, out)
	}
}

func TestHelpIsAnAnswerAndNotAFailure(t *testing.T) {
	cmd, _ := command(t, "-h")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v: %s", err, stderr.String())
	}
	for _, name := range []string{"-listen", "-db", "-replica", "-cache", "-memcached", "-nodes", "-articles", "-seed", secretVariable} {
		if !strings.Contains(stdout.String(), "  "+name) {
			t.Errorf("does not explain %s", name)
		}
	}
}

// A database that was filled is used as it is at the next start.
func TestAFileOfOnesOwnIsKept(t *testing.T) {
	db := "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "mine.db"))
	var pages []string
	for range 2 {
		url, end := start(t, "-db", db)
		res, err := http.Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, footer.ReplaceAllString(string(body), ""))
		if code, stderr, _ := end(syscall.SIGTERM); code != 0 {
			t.Fatal(stderr)
		}
	}
	if pages[0] != pages[1] {
		t.Error(firstDifference(pages[0], pages[1]))
	}
}

// A real browser shows the site as it is meant, with nothing refused by the
// site's own policy.
func TestABrowserShowsThePages(t *testing.T) {
	chromium := testservers.Tool(t, "chromium")
	url, _ := start(t)
	profile := t.TempDir()
	headline := regexp.MustCompile(`<h[12]>.*?</h[12]>`)
	for _, path := range []string{"/", "/news/article/120.html", "/news/page/harbor", "/login"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--disable-background-networking", "--user-data-dir="+profile, "--enable-logging=stderr", "--dump-dom", url+path)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		dom, err := cmd.Output()
		cancel()
		if err != nil {
			t.Fatalf("%s: %v\n%s", path, err, stderr.String())
		}
		if !bytes.Contains(dom, []byte(`<footer id="served">`)) || !bytes.Contains(dom, []byte("The Ashlar Courier")) {
			t.Errorf("%s: %d bytes: %s", path, len(dom), headline.FindAll(dom, 3))
		}
		console := slices.DeleteFunc(strings.Split(stderr.String(), "\n"), func(line string) bool { return !strings.Contains(line, "CONSOLE") })
		if len(console) > 0 {
			t.Errorf("%s: the browser complains: %s", path, strings.Join(console, "\n"))
		}
	}
}
