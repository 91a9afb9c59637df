package lbhttp

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// refuse answers what is no acceptable request, and ends the connection:
// nobody knows where the next request would begin.
func (c *client) refuse(err error) step {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = bad(err.Error())
	}
	c.s.refused.Add(1)
	if t := c.s.cfg.Trace.Refused; t != nil {
		t(c.base.RemoteAddr(), r.status, r.reason)
	}
	if c.w == nil {
		c.hold()
	}
	c.linger = true
	c.write(c.answer(r.status, "http_request_error", true))
	return stepClose
}

// fail answers a request that no node has answered.
func (c *client) fail(err error, streamed bool) step {
	v := judge(err)
	c.s.failed.Add(1)
	r := &c.w.req
	end := streamed || r.close || r.minor == 0 || c.s.draining.Load()
	c.linger = streamed
	if c.write(c.answer(v.status, v.code, end)) != nil || end {
		return stepClose
	}
	return stepMore
}

// answer writes a response of our own into c.w.out.
func (c *client) answer(status int, code string, end bool) []byte {
	text := strconv.Itoa(status) + " " + http.StatusText(status)
	out := c.w.out[:0]
	out = append(out, "HTTP/1.1 "...)
	out = append(out, text...)
	out = append(out, "\r\nDate: "...)
	out = time.Now().UTC().AppendFormat(out, http.TimeFormat)
	out = append(out, "\r\nProxy-Status: "...)
	out = append(append(append(out, c.s.cfg.Name...), "; error="...), code...)
	out = append(out, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(text)+1), 10)
	if status == 405 {
		out = append(append(out, "\r\nAllow: "...), allowed...)
	}
	if end {
		out = append(out, "\r\nConnection: close"...)
	}
	out = append(out, "\r\n\r\n"...)
	if !c.w.req.isHead || status < 500 {
		out = append(append(out, text...), '\n')
	}
	c.w.out = out
	return out
}

// allowed is what a client is told that asked for CONNECT.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// lingeringClose lets the client read our answer although it is still sending:
// closing a socket with unread data would make the kernel throw the answer away.
func (c *client) lingeringClose() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.base.SetReadDeadline(time.Now().Add(time.Second))
	io.CopyN(io.Discard, c.base, 256<<10)
}
