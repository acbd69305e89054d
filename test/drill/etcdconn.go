package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/test/harness"
)

// etcdConn is a client of etcd's gateway with the habits of etcd's own client for Go. It
// begins at one member and goes on at the next when that one cannot be reached. A read is
// tried again for as long as a command may last; a write only if it was not sent.
type etcdConn struct {
	addrs  []string
	at     int
	client http.Client
}

func newEtcdConn(addrs []string, first int) *etcdConn {
	return &etcdConn{addrs: addrs, at: first, client: http.Client{Timeout: commandTimeout, Transport: &http.Transport{}}}
}

func (c *etcdConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// Do is GET, SET, DEL of up to 128 keys, and INCR; the last is a read, and a write under the
// condition that nobody has written since.
func (c *etcdConn) Do(args ...string) (any, error) {
	key := []byte(args[1])
	switch args[0] {
	case "GET":
		value, _, err := c.get(key)
		if err != nil || value == nil {
			return nil, err
		}
		return string(value), nil
	case "SET":
		return "OK", c.call("kv/put", etcdPut{key, []byte(args[2])}, nil)
	case "DEL":
		var all etcdTxn
		for _, key := range args[1:] {
			all.Success = append(all.Success, etcdRequest{Delete: &etcdKey{[]byte(key)}})
		}
		return "OK", c.call("kv/txn", all, nil)
	case "INCR":
		return c.increment(key)
	}
	return nil, fmt.Errorf("no %s here", args[0])
}

type (
	etcdKey struct {
		Key []byte `json:"key"`
	}
	etcdPut struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	}
	etcdCompare struct {
		Key      []byte `json:"key"`
		Target   string `json:"target"`
		Revision string `json:"mod_revision"`
	}
	etcdRequest struct {
		Put    *etcdPut `json:"request_put,omitempty"`
		Delete *etcdKey `json:"request_delete_range,omitempty"`
	}
	etcdTxn struct {
		Compare []etcdCompare `json:"compare,omitempty"`
		Success []etcdRequest `json:"success"`
	}
)

// get returns nil and revision 0 if there is no such key.
func (c *etcdConn) get(key []byte) (value []byte, revision string, err error) {
	var found struct {
		KVs []struct {
			Value    []byte
			Revision string `json:"mod_revision"`
		}
	}
	if err := c.call("kv/range", etcdKey{key}, &found); err != nil {
		return nil, "", err
	}
	if len(found.KVs) == 0 {
		return nil, "0", nil
	}
	return found.KVs[0].Value, found.KVs[0].Revision, nil
}

func (c *etcdConn) increment(key []byte) (any, error) {
	for range 3 {
		value, revision, err := c.get(key)
		if err != nil { // nothing was written
			return nil, harness.Error(strings.TrimPrefix(err.Error(), uncertain))
		}
		count, _ := strconv.ParseInt(string(value), 10, 64)
		count++
		var answer struct{ Succeeded bool }
		err = c.call("kv/txn", etcdTxn{
			[]etcdCompare{{key, "MOD", revision}}, []etcdRequest{{Put: &etcdPut{key, strconv.AppendInt(nil, count, 10)}}},
		}, &answer)
		if err != nil || answer.Succeeded {
			return count, err
		}
		// An earlier one of this client, that had no answer, came between.
	}
	return nil, harness.Error("CONFLICT")
}

const (
	uncertain = "UNCERTAIN "
	etcdRetry = 25 * time.Millisecond // as etcd's own client
)

// call asks for something and reads the answer. Its errors are those of a workload.Conn.
func (c *etcdConn) call(what string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	read := !strings.HasPrefix(what, "kv/put") && !strings.HasPrefix(what, "kv/txn")
	for deadline := time.Now().Add(commandTimeout); ; time.Sleep(etcdRetry) {
		text, again, err := c.post(what, body, read)
		switch {
		case err == nil && answer == nil:
			return nil
		case err == nil:
			return json.Unmarshal(text, answer)
		case !again || time.Now().After(deadline):
			return err
		}
	}
}

// post sends a question once, and says whether it may be sent again.
func (c *etcdConn) post(what string, body []byte, read bool) (text []byte, again bool, err error) {
	response, err := c.client.Post("http://"+c.addrs[c.at]+"/v3/"+what, "application/json", bytes.NewReader(body))
	if err != nil {
		c.at = (c.at + 1) % len(c.addrs)
		if isDial(err) {
			return nil, true, harness.Error(err.Error())
		}
		return nil, read, harness.Error(uncertain + err.Error())
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, read, harness.Error(uncertain + err.Error())
	case response.StatusCode == http.StatusOK:
		return text, false, nil
	case bytes.Contains(text, []byte("no leader")):
		return nil, read, harness.Error(text)
	}
	return nil, read && response.StatusCode == http.StatusServiceUnavailable, harness.Error(uncertain + string(text))
}

// isDial reports whether there was no connection, so that nothing can have been done.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
