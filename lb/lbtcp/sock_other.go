//go:build !linux || 386 || s390x

package lbtcp

import "syscall"

// Elsewhere connections are read and written through package net.
const rawIO = false

func wantINQ(int) bool                               { return false }
func rawRead(int, []byte) (int, bool, syscall.Errno) { return 0, false, syscall.ENOSYS }
func rawWrite(int, []byte) (int, syscall.Errno)      { return 0, syscall.ENOSYS }
