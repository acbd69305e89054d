package test

import (
	"strings"
	"testing"
)

// A change to a user on one node holds on all of them when it is acknowledged, and
// survives a restart of the whole cluster. Passwords are kept hashed.
func TestUsersEverywhere(t *testing.T) {
	t.Parallel()
	c := start(t)
	for round := range 10 {
		at, other := c.Nodes[round%3], c.Nodes[(round+1)%3]
		rules := []string{"ACL", "SETUSER", "app", "on", ">secret", "~sess:*", "+@all", "-@dangerous"}
		if _, err := at.Do(rules...); err != nil {
			t.Fatal(err)
		}
		conn, err := other.Dial()
		if err != nil {
			t.Fatal(err)
		}
		do(t, conn, "AUTH", "app", "secret")
		do(t, conn, "SET", "sess:1", "v")
		if _, err := conn.Do("SET", "other", "v"); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Fatalf("SET of a key that is not allowed: %v", err)
		}
		if _, err := at.Do("ACL", "SETUSER", "app", "-set"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Do("SET", "sess:1", "v"); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Fatalf("round %d: a command that was just forbidden: %v", round, err)
		}
		if _, err := at.Do("ACL", "DELUSER", "app"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Do("GET", "sess:1"); err == nil {
			t.Fatal("the connection of a deleted user still works")
		}
		conn.Close()
	}
	if _, err := c.Nodes[0].Do("ACL", "SETUSER", "app", "on", ">secret", "~sess:*", "+get", "+set"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Nodes[0].Do("CONFIG", "SET", "requirepass", "pass"); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		conn, err := n.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Do("GET", "sess:1"); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
			t.Errorf("%s: without a password: %v", n.Name, err)
		}
		do(t, conn, "AUTH", "app", "secret")
		do(t, conn, "GET", "sess:1")
		do(t, conn, "AUTH", "pass")
		list := do(t, conn, "ACL", "LIST").([]any)
		if len(list) != 2 || strings.Contains(list[0].(string), "secret") {
			t.Errorf("%s: ACL LIST: %v", n.Name, list)
		}
		conn.Close()
	}
}
