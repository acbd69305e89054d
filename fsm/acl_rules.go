package fsm

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// ruleError is what is wrong with an ACL rule, as Redis words it behind the rule.
type ruleError string

func (e ruleError) Error() string { return string(e) }

const (
	errRule         ruleError = "Syntax error"
	errRuleCommand  ruleError = "Unknown command or category name in ACL"
	errRuleHash     ruleError = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
	errRulePassword ruleError = "The password you are trying to remove from the user does not exist"
	errRuleKeys     ruleError = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
	errRuleChannels ruleError = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
)

// CommandNames tells which commands and categories rules may name.
type CommandNames interface {
	HasCommand(name string) bool // full names: "get", "config|get"
	HasCategory(name string) bool
}

// With returns the user as changed by rules. bad is the rule that is wrong where err is
// not nil. Rules may name only what names knows; nil knows everything.
func (u *User) With(rules []string, names CommandNames) (changed *User, bad string, err error) {
	changed = u.clone()
	for _, rule := range rules {
		if err := changed.apply(rule, names); err != nil {
			return nil, rule, err
		}
	}
	own := &changed.Selectors[0]
	changed.unrestricted = own.AllKeys && own.AllChannels && len(own.Commands) == 1 && own.Commands[0] == "+@all"
	return changed, "", nil
}

// PasswordRule is the rule ">password" or "<password" with the hash in its place, as it
// is stored; other rules are returned as they are.
func PasswordRule(rule string) string {
	if rule == "" || rule[0] != '>' && rule[0] != '<' {
		return rule
	}
	prefix := "#"
	if rule[0] == '<' {
		prefix = "!"
	}
	return prefix + PasswordHash(rule[1:])
}

// PasswordHash is the form in which passwords are kept.
func PasswordHash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

func (u *User) apply(rule string, names CommandNames) error {
	switch word := strings.ToLower(rule); {
	case word == "on":
		u.Enabled = true
	case word == "off":
		u.Enabled = false
	case word == "nopass":
		u.NoPass, u.Passwords = true, nil
	case word == "resetpass":
		u.NoPass, u.Passwords = false, nil
	case word == "sanitize-payload", word == "skip-sanitize-payload":
		u.Sanitize = word
	case word == "clearselectors":
		u.Selectors = u.Selectors[:1]
	case word == "reset":
		*u = User{Name: u.Name, Sanitize: "sanitize-payload", Selectors: []Selector{newSelector()}}
	case strings.HasPrefix(rule, ">"), strings.HasPrefix(rule, "<"):
		return u.apply(PasswordRule(rule), names)
	case strings.HasPrefix(rule, "#"):
		return u.addPassword(rule[1:])
	case strings.HasPrefix(rule, "!"):
		return u.removePassword(rule[1:])
	case strings.HasPrefix(rule, "("):
		return u.addSelector(rule, names)
	default:
		return u.Selectors[0].apply(rule, names)
	}
	return nil
}

func validHash(hash string) bool {
	return len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}

func (u *User) addPassword(hash string) error {
	if !validHash(hash) {
		return errRuleHash
	}
	if !slices.Contains(u.Passwords, hash) {
		u.Passwords = append(u.Passwords, hash)
	}
	u.NoPass = false
	return nil
}

func (u *User) removePassword(hash string) error {
	if !validHash(hash) {
		return errRuleHash
	}
	i := slices.Index(u.Passwords, hash)
	if i < 0 {
		return errRulePassword
	}
	u.Passwords = slices.Delete(u.Passwords, i, i+1)
	return nil
}

func (u *User) addSelector(rule string, names CommandNames) error {
	inner, closed := strings.CutSuffix(rule[1:], ")")
	if !closed {
		return errRule
	}
	s := newSelector()
	for _, word := range strings.Fields(inner) {
		if err := s.apply(word, names); err != nil {
			return err
		}
	}
	u.Selectors = append(u.Selectors, s)
	return nil
}

func (s *Selector) apply(rule string, names CommandNames) error {
	if strings.ContainsAny(rule, " \t\r\n\v\f\x00") {
		return errRule
	}
	switch word := strings.ToLower(rule); {
	case word == "allkeys" || rule == "~*":
		s.AllKeys, s.Keys = true, nil
	case word == "resetkeys":
		s.AllKeys, s.Keys = false, nil
	case word == "allchannels" || rule == "&*":
		s.AllChannels, s.Channels = true, nil
	case word == "resetchannels":
		s.AllChannels, s.Channels = false, nil
	case word == "allcommands":
		s.Commands = []string{"+@all"}
	case word == "nocommands":
		s.Commands = []string{"-@all"}
	case strings.HasPrefix(rule, "~"):
		return s.addKeys(KeyPattern{rule[1:], true, true})
	case strings.HasPrefix(rule, "%"):
		uses, pattern, found := strings.Cut(word[1:], "~")
		pattern = rule[len(rule)-len(pattern):]
		if !found || uses == "" || strings.Trim(uses, "rw") != "" {
			return errRule
		}
		return s.addKeys(KeyPattern{pattern, strings.Contains(uses, "r"), strings.Contains(uses, "w")})
	case strings.HasPrefix(rule, "&"):
		if s.AllChannels {
			return errRuleChannels
		}
		if !slices.Contains(s.Channels, rule[1:]) {
			s.Channels = append(s.Channels, rule[1:])
		}
	case strings.HasPrefix(rule, "+"), strings.HasPrefix(rule, "-"):
		return s.addCommand(word, names)
	case rule == "": // Redis lets it pass
	default:
		return errRule
	}
	return nil
}

func (s *Selector) addKeys(k KeyPattern) error {
	switch {
	case s.AllKeys:
		return errRuleKeys
	case k.Pattern == "*" && k.Read && k.Write:
		s.AllKeys, s.Keys = true, nil
		return nil
	}
	for i := range s.Keys {
		if s.Keys[i].Pattern == k.Pattern {
			s.Keys[i].Read, s.Keys[i].Write = s.Keys[i].Read || k.Read, s.Keys[i].Write || k.Write
			return nil
		}
	}
	s.Keys = append(s.Keys, k)
	return nil
}

// addCommand puts a rule behind the others. Those that it makes pointless are dropped.
func (s *Selector) addCommand(rule string, names CommandNames) error {
	name := rule[1:]
	if name == "" {
		return errRuleCommand
	}
	if category, ok := strings.CutPrefix(name, "@"); ok {
		if category == "all" {
			s.Commands = []string{rule}
			return nil
		}
		if names != nil && !names.HasCategory(category) {
			return errRuleCommand
		}
	} else if names != nil && !names.HasCommand(name) {
		// As in older versions of Redis, a first argument may be told from others, where
		// the command has no subcommands.
		command, argument, found := strings.Cut(name, "|")
		if !found || argument == "" || rule[0] == '-' || !names.HasCommand(command) || names.HasCommand(command+"|help") {
			return errRuleCommand
		}
	}
	s.Commands = slices.DeleteFunc(s.Commands, func(other string) bool {
		return other != "+@all" && other != "-@all" && (other[1:] == name || strings.HasPrefix(other[1:], name+"|"))
	})
	s.Commands = append(s.Commands, rule)
	return nil
}

// MergeSelectors joins the words of selectors that were sent in several arguments: "(+get"
// "~a)" is "(+get ~a)". bad is the beginning of one that is not closed.
func MergeSelectors(words []string) (rules []string, bad string) {
	for i := 0; i < len(words); i++ {
		rule := words[i]
		for strings.HasPrefix(rule, "(") && !strings.HasSuffix(rule, ")") {
			if i++; i == len(words) {
				first, _, _ := strings.Cut(rule, " ")
				return nil, first
			}
			rule += " " + words[i]
		}
		rules = append(rules, rule)
	}
	return rules, ""
}
