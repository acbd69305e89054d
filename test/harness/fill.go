package harness

import "fmt"

// Fill runs count commands, made by command, in pipelines on one connection. An error
// reply ends it.
func Fill(addr string, count int, command func(i int) []string) error {
	c, err := Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	const pipeline = 500
	for first := 0; first < count; first += pipeline {
		var commands [][]string
		for i := first; i < min(first+pipeline, count); i++ {
			commands = append(commands, command(i))
		}
		replies, err := c.Pipeline(commands...)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			if e, ok := reply.(Error); ok {
				return fmt.Errorf("%v: %w", commands[i][:2], e)
			}
		}
	}
	return nil
}
