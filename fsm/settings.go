package fsm

import (
	"slices"
	"strings"
)

// settings are the values that CONFIG SET has replicated, ordered by name. A change
// makes a new slice, so that a snapshot may keep the old one.
type settings []setting

type setting struct{ name, value string }

func (s settings) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s, name, func(s setting, name string) int { return strings.Compare(s.name, name) })
}

// events are the classes of events that are wanted.
func (s settings) events() EventClass {
	if i, found := s.find(NotifySetting); found {
		classes, _ := ParseEventClasses(s[i].value)
		return classes
	}
	return 0
}

func (s *settings) set(name, value string) {
	i, found := s.find(name)
	changed := slices.Clone(*s)
	if found {
		changed[i].value = value
	} else {
		changed = slices.Insert(changed, i, setting{name, value})
	}
	*s = changed
}
