//go:build !linux

package testservers

import (
	"errors"
	"os/exec"
)

// launch returns before anything of this is reached.

type account struct{}

func unprivileged([]string) (account, error) { return account{}, errors.ErrUnsupported }

func (account) mkdir(string) (string, error) { return "", errors.ErrUnsupported }

func (account) apply(*exec.Cmd) {}

type proc struct{}

func signal(int, string) error { return errors.ErrUnsupported }

func signalTree(int, string) ([]proc, error) { return nil, errors.ErrUnsupported }

func alive(int) bool { return false }

func anyAlive([]proc) bool { return false }
