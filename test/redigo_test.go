package test

import (
	"context"
	"errors"
	"slices"

	"github.com/gomodule/redigo/redis"
)

// redigo is github.com/gomodule/redigo.
type redigo struct{ *redis.Pool }

func openRedigo(addr, password string, protocol int) (goClient, error) {
	return redigo{&redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
		return redis.DialURLContext(ctx, "redis://default:"+password+"@"+addr+"/3",
			redis.DialClientName("app"), redis.DialReadTimeout(clientPatience))
	}}}, nil
}

func (c redigo) close() { c.Close() }

// do runs a command on a connection of the pool.
func (c redigo) do(ctx context.Context, name string, args ...any) (any, error) {
	conn, err := c.GetContext(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Do(name, args...)
}

func (c redigo) info(ctx context.Context) (string, error) {
	return redis.String(c.do(ctx, "CLIENT", "INFO"))
}

func (c redigo) incr(ctx context.Context, key string) (int64, error) {
	return redis.Int64(c.do(ctx, "INCR", key))
}

func (c redigo) pipeline(ctx context.Context, key string, times int) error {
	conn, err := c.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range times {
		if err := conn.Send("INCR", key); err != nil {
			return err
		}
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	for range times {
		if _, err := redis.Int64(conn.Receive()); err != nil {
			return err
		}
	}
	return nil
}

func (c redigo) commands(ctx context.Context) error {
	var check checks
	conn, err := c.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	do := conn.Do
	status, err := redis.String(do("FLUSHDB"))
	check.equal("FLUSHDB", status, "OK", err)
	status, err = redis.String(do("SET", "s", "ä\x00\r\n", "EX", 100))
	check.equal("SET EX", status, "OK", err)
	value, err := redis.Bytes(do("GET", "s"))
	check.equal("GET", string(value), "ä\x00\r\n", err)
	_, err = redis.String(do("SET", "s", "x", "NX"))
	check.fails("SET NX", err, redis.ErrNil.Error())
	ttl, err := redis.Int64(do("TTL", "s"))
	check.left("TTL", ttl, 100, err)
	set, err := redis.Bool(do("EXPIRE", "s", 50))
	check.equal("EXPIRE", set, true, err)
	ttl, err = redis.Int64(do("PTTL", "none"))
	check.equal("PTTL none", ttl, -2, err)
	values, err := redis.Strings(do("MGET", "s", "none"))
	check.equal("MGET", values, []string{"ä\x00\r\n", ""}, err)
	_, err = do("INCR", "s")
	check.fails("INCR", err, errNotInteger)

	keys := manyKeys()
	conn.Send("MULTI")
	for _, key := range keys {
		conn.Send("SETEX", key, 60, key)
	}
	conn.Send("DBSIZE")
	replies, err := redis.Values(do("EXEC"))
	check.equal("MULTI", replies[len(replies)-1], 201, err)
	var seen []string
	for cursor := "0"; ; {
		reply, err := redis.Values(do("SCAN", cursor, "MATCH", "many:*", "COUNT", 20))
		if err != nil {
			return err
		}
		var page []string
		if _, err := redis.Scan(reply, &cursor, &page); err != nil {
			return err
		}
		seen = append(seen, page...)
		if cursor == "0" {
			break
		}
	}
	slices.Sort(seen)
	check.equal("SCAN", seen, keys, nil)
	count, err := redis.Int(do("UNLINK", redis.Args{}.AddFlat(keys).Add("s")...))
	check.equal("UNLINK", count, 201, err)
	return errors.Join(check...)
}
