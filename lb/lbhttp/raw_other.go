//go:build !linux

package lbhttp

import "syscall"

// Elsewhere connections are read and written through package net, and a client
// that has gone is noticed when it is written to.
const rawIO = false

func rawRead(uintptr, []byte) (int, syscall.Errno)  { return 0, syscall.ENOSYS }
func rawWrite(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }
func hungUp(uintptr) bool                           { return false }
func readable(uintptr) bool                         { return false }
