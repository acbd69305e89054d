package fsm

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// state is what a file holds of a machine.
type state struct {
	dbs      [Databases]*database
	index    uint64
	clock    Millis
	formed   string
	settings settings
	once     *once
	watches  *watches
	users    *Users
	scripts  *scripts
}

// Restore replaces the state with what WriteTo, or Redis, wrote. Keys whose deadline
// has passed come along: reaping them is for the log. On an error the machine is as it
// was; the error names the offset.
func (m *Machine) Restore(r io.Reader) error {
	s := &state{once: &once{}, watches: newWatches(), users: &Users{}, scripts: newScripts()}
	for i := range s.dbs {
		s.dbs[i] = newDatabase()
	}
	if err := readRDB(r, rdbVisitor{aux: s.aux, key: s.key}); err != nil {
		return err
	}
	m.become(s)
	return nil
}

// key takes over a key.
func (s *state) key(k rdbKey) error {
	if k.foreign != "" {
		return fmt.Errorf("it is a %s, which has no place here", k.foreign)
	}
	if k.db >= Databases {
		return fmt.Errorf("database %d: there are %d", k.db, Databases)
	}
	db, hash := s.dbs[k.db], hashOf(k.key)
	if db.keys.get(hash, k.key) != nil {
		return errors.New("it is there twice")
	}
	db.put(hash, &object{key: string(k.key), value: k.value, deadline: k.deadline}, 0)
	return nil
}

// aux takes over an AUX field; others than Holdfast's say nothing here.
func (s *state) aux(name string, data []byte) (err error) {
	switch {
	case name == auxIndex:
		s.index, err = strconv.ParseUint(string(data), 10, 64)
	case name == auxClock:
		var clock int64
		clock, err = strconv.ParseInt(string(data), 10, 64)
		if clock < 0 {
			return fmt.Errorf("field %s: the clock %d", name, clock)
		}
		s.clock = Millis(clock)
	case name == auxFormed:
		s.formed = string(data)
	case name == auxOnce:
		s.once, err = decodeOnce(data)
	case name == auxUser:
		var user *User
		if user, err = ParseUser(string(data)); err == nil {
			s.users = s.users.with(user)
		}
	case name == auxScripts:
		s.scripts, err = decodeScripts(data)
	case name == auxWatches:
		s.watches, err = decodeWatches(data)
	case strings.HasPrefix(name, auxSetting):
		s.settings.set(name[len(auxSetting):], string(data))
	}
	if err != nil {
		return fmt.Errorf("field %s: %w", name, err)
	}
	return nil
}
