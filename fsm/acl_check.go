package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// Denial is why a user may not run a command line.
type Denial struct {
	Reason string // "command", "key" or "channel"
	Object string // the full name, the key or the channel
}

// Code and Error make a denial the answer to the client.
func (d *Denial) Code() string { return "NOPERM" }
func (d *Denial) Error() string {
	if d.Reason == "command" {
		return fmt.Sprintf("this user has no permissions to run the '%s' command", d.Object)
	}
	return fmt.Sprintf("this user has no permissions to access one of the %ss used as arguments", d.Reason)
}

// Explain is what ACL DRYRUN answers.
func (d *Denial) Explain() string {
	if d.Reason == "command" {
		return fmt.Sprintf("This user has no permissions to run the '%s' command", d.Object)
	}
	return fmt.Sprintf("This user has no permissions to access the '%s' %s", d.Object, d.Reason)
}

// Check returns nil if the user may run a command line, otherwise what stands against
// it in the selector that comes closest.
func (u *User) Check(c *Command, args [][]byte) *Denial {
	if u.unrestricted {
		return nil
	}
	var closest *Denial
	for i := range u.Selectors {
		d := u.Selectors[i].check(c, args)
		if d == nil {
			return nil
		}
		if closest == nil || relevance[d.Reason] > relevance[closest.Reason] {
			closest = d
		}
	}
	return closest
}

var relevance = map[string]int{"command": 0, "key": 1, "channel": 2}

func (s *Selector) check(c *Command, args [][]byte) *Denial {
	name := c.FullName()
	if c.Flags&NoAuth == 0 && !s.allows(c, args) {
		return &Denial{Reason: "command", Object: name}
	}
	var denial *Denial
	if !s.AllKeys {
		c.KeysIn(args, func(key []byte, r KeyRange) {
			if denial == nil && !slices.Contains(r.Use, "not_key") && !s.allowsKey(key, r.UseIn(args)) {
				denial = &Denial{Reason: "key", Object: string(key)}
			}
		})
	}
	if denial == nil && !s.AllChannels {
		for _, channel := range channelsIn(name, args) {
			if !s.AllowsChannel(string(channel), name == "psubscribe") {
				return &Denial{Reason: "channel", Object: string(channel)}
			}
		}
	}
	return denial
}

// readsAllKeys reports whether a selector that allows a command line allows all keys to be
// read as well.
func (u *User) readsAllKeys(c *Command, args [][]byte) bool {
	return u.unrestricted || slices.ContainsFunc(u.Selectors, func(s Selector) bool {
		all := s.AllKeys || slices.ContainsFunc(s.Keys, func(k KeyPattern) bool { return k.Read && k.Pattern == "*" })
		return all && s.check(c, args) == nil
	})
}

// allows finds the last rule that fits.
func (s *Selector) allows(c *Command, args [][]byte) bool {
	full := c.FullName()
	for _, rule := range slices.Backward(s.Commands) {
		name := rule[1:]
		fits := name == full || name == "@all" || c.Container != "" && strings.EqualFold(name, c.Container)
		if category, ok := strings.CutPrefix(name, "@"); ok && !fits {
			fits = slices.Contains(c.Categories(), "@"+category)
		} else if command, argument, ok := strings.Cut(name, "|"); ok && !fits {
			fits = command == full && len(args) > 1 && strings.EqualFold(argument, string(args[1]))
		}
		if fits {
			return rule[0] == '+'
		}
	}
	return false
}

// allowsKey takes a key's use as COMMAND has it: what access needs may be read, what
// changes the value written, and for anything else either will do.
func (s *Selector) allowsKey(key []byte, use []string) bool {
	read := slices.Contains(use, "access")
	write := slices.Contains(use, "update") || slices.Contains(use, "insert") || slices.Contains(use, "delete")
	for _, k := range s.Keys {
		if (k.Read || !read) && (k.Write || !write) && Match([]byte(k.Pattern), key) {
			return true
		}
	}
	return false
}

// AllowsChannel reports whether a channel may be used; a pattern only if it is itself
// among those allowed.
func (s *Selector) AllowsChannel(channel string, pattern bool) bool {
	if s.AllChannels {
		return true
	}
	for _, allowed := range s.Channels {
		if pattern && allowed == channel || !pattern && Match([]byte(allowed), []byte(channel)) {
			return true
		}
	}
	return false
}

func channelsIn(name string, args [][]byte) [][]byte {
	switch name {
	case "publish", "spublish":
		return args[1:2]
	case "subscribe", "ssubscribe", "psubscribe":
		return args[1:]
	}
	return nil
}
