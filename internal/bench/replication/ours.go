package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// ours is our engine, in a child process.
type ours struct {
	l      *lab
	p      *pair
	notify bool
	follow bool // start a Run, not a Step

	running *child
	last    outcome // of the last child that ended
}

func (o *ours) setup(ctx context.Context, p *pair) error {
	o.p = p
	for _, do := range []string{"install", "copy"} {
		if _, err := o.do(ctx, do); err != nil {
			return err
		}
	}
	return nil
}

// start applies what is waiting by one Step, or goes on by Run.
func (o *ours) start(context.Context) error {
	if o.follow {
		return o.launch("run")
	}
	return o.launch("step")
}

// stop waits for the Step, or ends the Run.
func (o *ours) stop(ctx context.Context) error {
	c := o.running
	if c == nil {
		return nil
	}
	o.running = nil
	var err error
	o.last, err = c.end()
	return err
}

// do runs a child to its end.
func (o *ours) do(ctx context.Context, what string) (outcome, error) {
	if err := o.launch(what); err != nil {
		return outcome{}, err
	}
	err := o.stop(ctx)
	return o.last, err
}

func (o *ours) launch(what string) error {
	j := job{Do: what, Source: o.p.from.dsn(o.p.name), Target: o.p.to.dsn(o.p.name), From: o.p.from.kind, To: o.p.to.kind, Notify: o.notify}
	if dir := o.l.keep; dir != "" && what != "install" && what != "trim" {
		j.Profile = filepath.Join(dir, fmt.Sprintf("%s-%s-%d.pprof", o.p.name, what, time.Now().UnixMilli()))
	}
	var err error
	o.running, err = startChild(j)
	return err
}

// child is a running child process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out bytes.Buffer
	log bytes.Buffer
}

func startChild(j job) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, childArg)}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.log
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	return c, json.NewEncoder(c.in).Encode(j)
}

// end closes the child's input, and waits for what it has to say.
func (c *child) end() (o outcome, err error) {
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		return o, fmt.Errorf("our process: %w\n%s", err, c.log.Bytes())
	}
	if err := json.Unmarshal(c.out.Bytes(), &o); err != nil {
		return o, fmt.Errorf("our process: %w: %.200s", err, c.out.Bytes())
	}
	if o.Err != "" {
		return o, errors.New(o.Err)
	}
	return o, nil
}
