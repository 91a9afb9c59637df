//go:build !linux || 386 || s390x

package lbtcp

import "syscall"

type pipe struct{ r, w int }

func getPipe() (pipe, error) { return pipe{}, syscall.ENOSYS }
func putPipe(pipe)           {}
func (pipe) close()          {}

func rawSplice(int, int, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

const pipeSize = 0
