package main

import (
	"strconv"
	"strings"
	"testing"

	"holdfast/test/workload"
)

// What the crowds ask of etcd's gateway does there what it does in Redis.
func TestEtcdConn(t *testing.T) {
	store, _, err := startEtcd(t.TempDir())
	if store != nil {
		defer store.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	member, err := store.leader()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := store.dial(member.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	many := []string{"DEL"}
	for i := range workload.ClearAtOnce {
		many = append(many, "k"+strconv.Itoa(i))
	}
	for _, step := range []struct {
		command []string
		want    any
	}{
		{strings.Fields("GET k1"), nil},
		{strings.Fields("SET k1 a"), "OK"},
		{strings.Fields("GET k1"), "a"},
		{strings.Fields("INCR k2"), int64(1)},
		{strings.Fields("INCR k2"), int64(2)},
		{many, "OK"},
		{strings.Fields("GET k1"), nil},
		{strings.Fields("GET k2"), nil},
	} {
		if got, err := conn.Do(step.command...); err != nil || got != step.want {
			t.Errorf("%.40s: %v, %v, want %v", strings.Join(step.command, " "), got, err, step.want)
		}
	}
}
