package test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// goRedis is github.com/redis/go-redis.
type goRedis struct{ *redis.Client }

func openGoRedis(addr, password string, protocol int) (goClient, error) {
	return goRedis{redis.NewClient(&redis.Options{
		Addr: addr, Username: "default", Password: password, ClientName: "app", DB: 3, Protocol: protocol,
		MaxRetries: -1, ReadTimeout: clientPatience,
	})}, nil
}

func (c goRedis) close() { c.Close() }

func (c goRedis) info(ctx context.Context) (string, error) {
	return c.Do(ctx, "CLIENT", "INFO").Text()
}

func (c goRedis) incr(ctx context.Context, key string) (int64, error) {
	return c.Incr(ctx, key).Result()
}

func (c goRedis) pipeline(ctx context.Context, key string, times int) error {
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for range times {
			p.Incr(ctx, key)
		}
		return nil
	})
	return err
}

func (c goRedis) commands(ctx context.Context) error {
	var check checks
	status, err := c.FlushDB(ctx).Result()
	check.equal("FLUSHDB", status, "OK", err)
	status, err = c.Set(ctx, "s", "ä\x00\r\n", 100*time.Second).Result()
	check.equal("SET EX", status, "OK", err)
	value, err := c.Get(ctx, "s").Result()
	check.equal("GET", value, "ä\x00\r\n", err)
	set, err := c.SetNX(ctx, "s", "x", 0).Result()
	check.equal("SET NX", set, false, err)
	ttl, err := c.TTL(ctx, "s").Result()
	check.left("TTL", int64(ttl/time.Second), 100, err)
	set, err = c.Expire(ctx, "s", 50*time.Second).Result()
	check.equal("EXPIRE", set, true, err)
	set, err = c.ExpireGT(ctx, "s", 10*time.Second).Result()
	check.equal("EXPIRE GT", set, false, err)
	ttl, err = c.PTTL(ctx, "none").Result()
	check.equal("PTTL none", int64(ttl), -2, err)
	_, err = c.Get(ctx, "none").Result()
	check.fails("GET none", err, redis.Nil.Error())
	values, err := c.MGet(ctx, "s", "none").Result()
	check.equal("MGET", values, []any{"ä\x00\r\n", nil}, err)
	check.fails("INCR", c.Incr(ctx, "s").Err(), errNotInteger)

	keys := manyKeys()
	replies, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Set(ctx, key, key, time.Minute)
		}
		p.DBSize(ctx)
		return nil
	})
	check.equal("MULTI", replies[len(keys)].(*redis.IntCmd).Val(), 201, err)
	var seen []string
	scan := c.Scan(ctx, 0, "many:*", 20).Iterator()
	for scan.Next(ctx) {
		seen = append(seen, scan.Val())
	}
	slices.Sort(seen)
	check.equal("SCAN", seen, keys, scan.Err())
	count, err := c.Unlink(ctx, append(keys, "s")...).Result()
	check.equal("UNLINK", count, 201, err)
	return errors.Join(check...)
}
