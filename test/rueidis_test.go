package test

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/rueidis"
)

// rueidisClient is github.com/redis/rueidis. Its cache in the client needs CLIENT
// TRACKING, which is not there.
type rueidisClient struct{ rueidis.Client }

func openRueidis(addr, password string, protocol int) (goClient, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, Username: "default", Password: password, ClientName: "app", SelectDB: 3,
		AlwaysRESP2: protocol == 2, DisableCache: true, DisableRetry: true, ConnWriteTimeout: clientPatience,
	})
	return rueidisClient{client}, err
}

func (c rueidisClient) close() { c.Close() }

func (c rueidisClient) info(ctx context.Context) (string, error) {
	return c.Do(ctx, c.B().ClientInfo().Build()).ToString()
}

func (c rueidisClient) incr(ctx context.Context, key string) (int64, error) {
	return c.Do(ctx, c.B().Incr().Key(key).Build()).AsInt64()
}

func (c rueidisClient) pipeline(ctx context.Context, key string, times int) error {
	var commands rueidis.Commands
	for range times {
		commands = append(commands, c.B().Incr().Key(key).Build())
	}
	for _, result := range c.DoMulti(ctx, commands...) {
		if _, err := result.AsInt64(); err != nil {
			return err
		}
	}
	return nil
}

func (c rueidisClient) commands(ctx context.Context) error {
	var check checks
	do := func(command rueidis.Completed) rueidis.RedisResult { return c.Do(ctx, command) }
	status, err := do(c.B().Flushdb().Build()).ToString()
	check.equal("FLUSHDB", status, "OK", err)
	status, err = do(c.B().Set().Key("s").Value("ä\x00\r\n").ExSeconds(100).Build()).ToString()
	check.equal("SET EX", status, "OK", err)
	value, err := do(c.B().Get().Key("s").Build()).ToString()
	check.equal("GET", value, "ä\x00\r\n", err)
	err = do(c.B().Set().Key("s").Value("x").Nx().Build()).Error()
	check.equal("SET NX", rueidis.IsRedisNil(err), true, nil)
	ttl, err := do(c.B().Ttl().Key("s").Build()).AsInt64()
	check.left("TTL", ttl, 100, err)
	set, err := do(c.B().Expire().Key("s").Seconds(50).Build()).AsBool()
	check.equal("EXPIRE", set, true, err)
	ttl, err = do(c.B().Pttl().Key("none").Build()).AsInt64()
	check.equal("PTTL none", ttl, -2, err)
	values, err := do(c.B().Mget().Key("s", "none").Build()).AsStrSlice()
	check.equal("MGET", values, []string{"ä\x00\r\n", ""}, err)
	_, err = c.incr(ctx, "s")
	check.fails("INCR", err, errNotInteger[len("ERR "):]) // the library leaves the code out

	keys := manyKeys()
	commands := rueidis.Commands{c.B().Multi().Build()}
	for _, key := range keys {
		commands = append(commands, c.B().Setex().Key(key).Seconds(60).Value(key).Build())
	}
	commands = append(commands, c.B().Dbsize().Build(), c.B().Exec().Build())
	results := c.DoMulti(ctx, commands...)
	replies, err := results[len(results)-1].ToArray()
	if err != nil {
		return err
	}
	size, err := replies[len(keys)].AsInt64()
	check.equal("MULTI", size, 201, err)
	var seen []string
	for cursor := uint64(0); ; {
		page, err := do(c.B().Scan().Cursor(cursor).Match("many:*").Count(20).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		seen = append(seen, page.Elements...)
		if cursor = page.Cursor; cursor == 0 {
			break
		}
	}
	slices.Sort(seen)
	check.equal("SCAN", seen, keys, nil)
	count, err := do(c.B().Unlink().Key(append(keys, "s")...).Build()).AsInt64()
	check.equal("UNLINK", count, 201, err)
	return errors.Join(check...)
}
