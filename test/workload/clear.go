package workload

// Clear removes all keys of the clients, which have been stopped, so that the crowd that comes
// next finds the store as this one did. A key that could not be removed stays, in nobody's way:
// it is not looked at again.
func (l *Load) Clear(addr string) error {
	conn, err := l.options.Dial(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, c := range l.clients {
		keys := []string{"DEL", "count:" + c.name, "register:" + c.name}
		for round := int64(every); round <= c.round; round += every {
			keys = append(keys, c.left(round))
			if len(keys) == 1+ClearAtOnce {
				conn.Do(keys...)
				keys = keys[:1]
			}
		}
		if len(keys) > 1 {
			conn.Do(keys...)
		}
	}
	return nil
}

// ClearAtOnce is how many keys Clear names in a command at most, which is what etcd takes by default.
const ClearAtOnce = 128
