package main

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// goRedis is a client of go-redis with its defaults: after most errors it tries a command
// again up to three times by itself, commands that may have run included.
type goRedis struct{ redis.UniversalClient }

func (c goRedis) Do(args ...string) (any, error) {
	return answer(c.UniversalClient.Do(context.Background(), words(args)...))
}

// Pipeline runs commands at once. An error reply stands among the replies.
func (c goRedis) Pipeline(commands ...[]string) ([]any, error) {
	p := c.UniversalClient.Pipeline()
	for _, args := range commands {
		p.Do(context.Background(), words(args)...)
	}
	run, err := p.Exec(context.Background())
	var refusal redis.Error
	if err != nil && !errors.As(err, &refusal) {
		return nil, err
	}
	var replies []any
	for _, command := range run {
		reply, err := answer(command.(*redis.Cmd))
		if err != nil {
			reply = err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

func words(args []string) []any {
	command := make([]any, len(args))
	for i, arg := range args {
		command[i] = arg
	}
	return command
}

func answer(c *redis.Cmd) (any, error) {
	reply, err := c.Result()
	var refusal redis.Error
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case errors.As(err, &refusal):
		return nil, harness.Error(err.Error())
	case err != nil: // the client goes on, and connects anew by itself
		return nil, harness.Error("UNCERTAIN " + err.Error())
	}
	return reply, nil
}

// noLog takes what go-redis would write to the screen: what goes wrong is what is measured.
type noLog struct{}

func (noLog) Printf(context.Context, string, ...any) {}

// dialNext is a client that knows several addresses: it begins at one, and whenever its
// connection is lost it goes on at the next that takes it.
func dialNext(addrs []string, first int, dial func(ctx context.Context, network, addr string) (net.Conn, error)) workload.Conn {
	var next atomic.Int64
	next.Store(int64(first))
	return goRedis{redis.NewClient(&redis.Options{
		Addr: addrs[first],
		Dialer: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
			for range addrs {
				addr := addrs[int(next.Add(1)-1)%len(addrs)]
				if c, err = dial(ctx, network, addr); err == nil {
					return c, nil
				}
			}
			return nil, err
		},
	})}
}
