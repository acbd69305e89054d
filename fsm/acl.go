package fsm

import (
	"slices"
	"strings"
)

// User is who a client says it is (Redis, "ACL"): what it may run, on which keys and
// channels. Users are part of the state: a change holds on every node. A User is never
// changed once others can see it.
type User struct {
	Name      string
	Enabled   bool
	NoPass    bool     // any password will do
	Sanitize  string   // "sanitize-payload", "skip-sanitize-payload" or ""; kept and shown, no more
	Passwords []string // SHA-256 in hexadecimal digits
	Selectors []Selector

	unrestricted bool // may do everything: nothing needs to be looked at
}

// Selector is a set of permissions. A command is allowed if any selector of the user
// allows it with all its keys and channels; the first is the user's own.
type Selector struct {
	Commands    []string // rules, of which the last that fits decides: "-@all" or "+@all" first, "+get", "-config|set"
	AllKeys     bool
	Keys        []KeyPattern
	AllChannels bool
	Channels    []string
}

// KeyPattern is a pattern of keys that may be read, written or both.
type KeyPattern struct {
	Pattern     string
	Read, Write bool
}

func (k KeyPattern) String() string {
	switch {
	case k.Read && k.Write:
		return "~" + k.Pattern
	case k.Read:
		return "%R~" + k.Pattern
	}
	return "%W~" + k.Pattern
}

// NewUser returns a user who may do nothing and not even come in.
func NewUser(name string) *User {
	return &User{Name: name, Selectors: []Selector{newSelector()}}
}

func newSelector() Selector { return Selector{Commands: []string{"-@all"}} }

// DefaultUser returns the user of clients that name none, as long as nobody has changed
// it: it may do everything, and needs the password with the given hash if there is one.
func DefaultUser(hash string) *User {
	u := NewUser("default")
	u.Enabled, u.NoPass, u.unrestricted = true, hash == "", true
	if hash != "" {
		u.Passwords = []string{hash}
	}
	u.Selectors[0] = Selector{Commands: []string{"+@all"}, AllKeys: true, AllChannels: true}
	return u
}

// Unrestricted reports whether the user may do everything.
func (u *User) Unrestricted() bool { return u.unrestricted }

func (u *User) clone() *User {
	c := *u
	c.Passwords = slices.Clone(u.Passwords)
	c.Selectors = slices.Clone(u.Selectors)
	for i := range c.Selectors {
		c.Selectors[i] = c.Selectors[i].clone()
	}
	return &c
}

func (s Selector) clone() Selector {
	s.Commands, s.Keys, s.Channels = slices.Clone(s.Commands), slices.Clone(s.Keys), slices.Clone(s.Channels)
	return s
}

// String is the user's line in ACL LIST, from which the user can be made again.
func (u *User) String() string {
	words := []string{"user", u.Name, "off"}
	if u.Enabled {
		words[2] = "on"
	}
	if u.NoPass {
		words = append(words, "nopass")
	}
	if u.Sanitize != "" {
		words = append(words, u.Sanitize)
	}
	for _, hash := range u.Passwords {
		words = append(words, "#"+hash)
	}
	for i := range u.Selectors {
		words = append(words, u.Selectors[i].describe(i > 0))
	}
	return strings.Join(words, " ")
}

func (s *Selector) describe(inParentheses bool) string {
	var words []string
	if keys := s.KeyList(); keys != "" {
		words = append(words, keys)
	}
	if !s.AllChannels {
		words = append(words, "resetchannels")
	}
	if channels := s.ChannelList(); channels != "" {
		words = append(words, channels)
	}
	text := strings.Join(append(words, s.CommandList()), " ")
	if inParentheses {
		return "(" + text + ")"
	}
	return text
}

// KeyList, ChannelList and CommandList are the rules as ACL GETUSER shows them.
func (s *Selector) KeyList() string {
	if s.AllKeys {
		return "~*"
	}
	var words []string
	for _, k := range s.Keys {
		words = append(words, k.String())
	}
	return strings.Join(words, " ")
}

func (s *Selector) ChannelList() string {
	if s.AllChannels {
		return "&*"
	}
	var words []string
	for _, channel := range s.Channels {
		words = append(words, "&"+channel)
	}
	return strings.Join(words, " ")
}

func (s *Selector) CommandList() string { return strings.Join(s.Commands, " ") }

// Users are all that ACL SETUSER has made, by name. Each change makes a new one.
type Users struct{ list []*User }

// All lists the users by name.
func (u *Users) All() []*User { return u.list }

// Get returns a user, nil where there is none.
func (u *Users) Get(name string) *User {
	if i, found := u.find(name); found {
		return u.list[i]
	}
	return nil
}

func (u *Users) find(name string) (int, bool) {
	return slices.BinarySearchFunc(u.list, name, func(u *User, name string) int { return strings.Compare(u.Name, name) })
}

// with returns users among whom the given one has the place of any of its name.
func (u *Users) with(user *User) *Users {
	i, found := u.find(user.Name)
	list := slices.Clone(u.list)
	if found {
		list[i] = user
	} else {
		list = slices.Insert(list, i, user)
	}
	return &Users{list}
}

func (u *Users) without(name string) *Users {
	i, found := u.find(name)
	if !found {
		return u
	}
	return &Users{slices.Delete(slices.Clone(u.list), i, i+1)}
}

// Users are the users as of the last entry applied: another pointer after each change.
func (m *Machine) Users() *Users { return m.users.Load() }
