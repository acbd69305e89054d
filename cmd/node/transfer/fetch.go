package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Fetch writes all keys of a node, or of a Redis, as an RDB file, of one moment and with every
// write that was acknowledged before the call. It gives up when nothing comes for so long as
// patience, or when ctx ends. What it has written is not checked: see ReadDump in package fsm.
func Fetch(ctx context.Context, from string, patience time.Duration, to io.Writer) error {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "redis" || u.Host == "" {
		return errors.New("the node is no URL: want redis://[user:password@]host:port")
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "6379")
	}
	nc, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	f := fetcher{nc, patience, nil}
	f.in = bufio.NewReaderSize(f, 256<<10)
	err = f.fetch(u.User, to)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("dump from %s: %w", u.Redacted(), err)
	}
	return nil
}

type fetcher struct {
	nc       net.Conn
	patience time.Duration
	in       *bufio.Reader
}

// Read is the connection's, with patience.
func (f fetcher) Read(p []byte) (int, error) {
	f.nc.SetReadDeadline(time.Now().Add(f.patience))
	n, err := f.nc.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("the connection ended too early")
	}
	return n, err
}

func (f fetcher) fetch(user *url.Userinfo, to io.Writer) error {
	if password, ok := user.Password(); ok {
		auth := []string{"AUTH", password}
		if name := user.Username(); name != "" {
			auth = []string{"AUTH", name, password}
		}
		if err := f.ask(auth...); err != nil {
			return err
		}
	}
	// A Redis before 7.0 does not know the first, and sends the same file without it.
	var refusal refusedError
	if err := f.ask("REPLCONF", "rdb-only", "1"); err != nil && !errors.As(err, &refusal) {
		return err
	}
	if err := f.ask("REPLCONF", "capa", "eof"); err != nil {
		return err
	}
	if err := f.send("SYNC"); err != nil {
		return err
	}
	header, err := f.line()
	if err != nil {
		return err
	}
	if mark, ok := strings.CutPrefix(header, "$EOF:"); ok && len(mark) > 0 {
		return copyUpTo(to, f.in, []byte(mark))
	}
	length, err := strconv.ParseInt(strings.TrimPrefix(header, "$"), 10, 64)
	if err != nil || length < 0 {
		return fmt.Errorf("no file, but %q", header)
	}
	_, err = io.CopyN(to, f.in, length)
	return err
}

// refusedError is an answer that is an error.
type refusedError string

func (e refusedError) Error() string { return string(e) }

func (f fetcher) ask(words ...string) error {
	if err := f.send(words...); err != nil {
		return err
	}
	_, err := f.line()
	return err
}

func (f fetcher) send(words ...string) error {
	command := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		command = fmt.Appendf(command, "$%d\r\n%s\r\n", len(word), word)
	}
	f.nc.SetWriteDeadline(time.Now().Add(f.patience))
	_, err := f.nc.Write(command)
	return err
}

// line reads a reply of one line. A Redis that is busy with the file sends empty ones.
func (f fetcher) line() (string, error) {
	for {
		text, err := f.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		text = strings.TrimRight(text, "\r\n")
		if refusal, ok := strings.CutPrefix(text, "-"); ok {
			return "", refusedError(strings.TrimPrefix(refusal, "ERR "))
		}
		if text != "" {
			return text, nil
		}
	}
}

// copyUpTo copies what stands before a mark that nothing follows.
func copyUpTo(to io.Writer, from io.Reader, mark []byte) error {
	buf, kept := make([]byte, 256<<10), 0 // kept bytes may be the mark's
	for {
		n, err := from.Read(buf[kept:])
		if err != nil {
			return err
		}
		kept += n
		if bytes.HasSuffix(buf[:kept], mark) {
			_, err := to.Write(buf[:kept-len(mark)])
			return err
		}
		if sure := kept - len(mark); sure > 0 {
			if _, err := to.Write(buf[:sure]); err != nil {
				return err
			}
			kept = copy(buf, buf[sure:kept])
		}
	}
}
