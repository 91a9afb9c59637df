package testservers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// reaper is a small shell between us and a server. We hold the only write end
// of its standard input; whatever ends us closes it, and then the shell ends
// the server and removes the directory. It is the server's parent and collects
// it only when told, so a process id stays the server's until then.
type reaper struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Asynchronous commands of a shell ignore SIGINT and SIGQUIT until they say
// otherwise, which PostgreSQL does. setsid keeps a Ctrl-C at the terminal from
// the server and gives it a process group, for what a preparation has started.
// TERM to the shell works as the end of its input; a reply that nobody reads
// must not end it. What does not heed its signal is killed after ten seconds.
// TMPDIR is the server's own, because a MariaDB that starts removes the temporary
// tables that it finds there, another server's too.
const reaperScript = `
trap : PIPE TERM INT HUP
dir=$1 pid= end=
export TMPDIR="$dir"
while read -r line; do eval "$line"; done
if [ "$pid" ]; then
	kill -s CONT "$pid"; kill -s "$end" -- "-$pid" "$pid"
	setsid sh -c 'sleep 10; kill -s KILL -- "-$1" "$1"' sh "$pid" &
	guard=$!
	wait "$pid"
	kill -s KILL -- "-$guard" "$guard"
fi
rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }
`

// newReaper makes a directory and the shell that will remove it. As root both
// belong to the first of users that exists.
func newReaper(name string, users []string) (*reaper, string, error) {
	who, err := unprivileged(users)
	if err != nil {
		return nil, "", err
	}
	dir, err := who.mkdir("ashlar-" + name + "-")
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command("/bin/sh", "-c", reaperScript, "ashlar-reaper", dir)
	cmd.Dir = "/"
	cmd.Env = cleanEnv()
	who.apply(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", errors.Join(err, os.Remove(dir))
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", errors.Join(err, os.Remove(dir))
	}
	if err := cmd.Start(); err != nil {
		return nil, "", errors.Join(err, os.Remove(dir))
	}
	return &reaper{cmd: cmd, in: in, out: bufio.NewReader(out)}, dir, nil
}

// start runs a command in the background, its output appended to the log in the
// directory, and returns its process id. At most one runs at a time; end is the
// signal for it if we go away.
func (r *reaper) start(c command, end string) (pid int, err error) {
	var words []string
	for _, w := range c {
		words = append(words, quote(w))
	}
	return r.ask(fmt.Sprintf(`end=%s; setsid %s </dev/null >>"$dir/log" 2>&1 & pid=$!; echo $pid`,
		end, strings.Join(words, " ")))
}

// reap waits for the end of the command that start has started, and returns its
// exit status.
func (r *reaper) reap() (status int, err error) {
	return r.ask(`wait "$pid"; status=$?; pid=; echo $status`)
}

// close ends what runs, waits for it and removes the directory.
func (r *reaper) close() error {
	if r.in == nil {
		return nil
	}
	err := r.in.Close()
	r.in = nil
	return errors.Join(err, r.cmd.Wait())
}

func (r *reaper) ask(line string) (int, error) {
	if _, err := io.WriteString(r.in, line+"\n"); err != nil {
		return 0, fmt.Errorf("reaper: %w", err)
	}
	reply, err := r.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("reaper: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(reply))
}

func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// cleanEnv keeps the user's PG* and MYSQL_* variables and locale out of it.
func cleanEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/"}
}
