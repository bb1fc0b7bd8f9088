package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// httpCaller owns one keep-alive connection. The standard response parser reads it, without the
// goroutines of the standard client, which would cost more than some of the servers measured.
type httpCaller struct {
	address    string
	request    []byte
	stream     bool
	leastBytes int
	conn       net.Conn
	reader     *bufio.Reader
	reply      bytes.Buffer
}

func newHTTPCaller(o *options, body []byte) *httpCaller {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", o.path, o.address)
	fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	for _, h := range o.headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n")
	return &httpCaller{address: o.address, request: append([]byte(b.String()), body...),
		stream: o.stream, leastBytes: o.leastBytes}
}

func (c *httpCaller) call(ctx context.Context, got sink) (err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			c.conn = nil
			return err
		}
		c.reader = bufio.NewReaderSize(c.conn, 65536)
	}
	unwatch := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	keep, err := c.exchange(got)
	if !unwatch() || err != nil || !keep {
		_ = c.conn.Close()
		c.conn = nil
	}
	return err
}

func (c *httpCaller) exchange(got sink) (keep bool, err error) {
	if _, err = c.conn.Write(c.request); err != nil {
		return false, err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return false, fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	if c.stream {
		return !response.Close, readEvents(response.Body, got)
	}
	c.reply.Reset()
	if _, err = c.reply.ReadFrom(response.Body); err != nil {
		return false, err
	}
	got(bytes.Count(c.reply.Bytes(), marker))
	if c.reply.Len() < c.leastBytes {
		return false, fmt.Errorf("short answer of %d bytes", c.reply.Len())
	}
	return !response.Close, nil
}

// readEvents counts the tokens of a server-sent-event stream. Only whole lines are counted, for a
// token may be cut by the edge of a read.
func readEvents(body io.Reader, got sink) error {
	buffer, held, any, done := make([]byte, 65536), 0, false, false
	for {
		n, err := body.Read(buffer[held:])
		held += n
		if end := bytes.LastIndexByte(buffer[:held], '\n') + 1; end > 0 {
			if tokens := bytes.Count(buffer[:end], marker); tokens > 0 {
				any = true
				got(tokens)
			}
			done = done || bytes.Contains(buffer[:end], []byte("data: [DONE]"))
			held = copy(buffer, buffer[end:held])
		}
		switch {
		case errors.Is(err, io.EOF) && any && done:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("a stream without a token or without its end")
		case err != nil:
			return err
		case held == len(buffer):
			return errors.New("an event longer than 64 KiB")
		}
	}
}
