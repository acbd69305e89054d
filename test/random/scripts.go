package random

import (
	"crypto/sha1"
	"encoding/hex"
)

// Scripts do what scripts of applications do, and what could tell one node from another.
var Scripts = []string{
	"return 1",
	"return {KEYS[1] or 'none', ARGV[1] or 'none', #KEYS, #ARGV}",
	"if #KEYS == 0 then return 0 end return redis.call('incr', KEYS[1])",
	"if #KEYS == 0 then return 0 end return redis.pcall('set', KEYS[1], ARGV[1] or 'x', 'px', 100000)",
	"if #KEYS == 0 then return 0 end if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0",
	"for i = 1, #KEYS do redis.call('sadd', KEYS[i], i, 'm' .. i) redis.call('expire', KEYS[i], 1000) end return #KEYS",
	"for i = 1, #KEYS do redis.call('rpush', KEYS[i], unpack(ARGV)) end return 'done'",
	"redis.call('set', 's0', 'before') error('after a write')",
	"local t = {} for k in pairs({a=1, b=2, c=3, d=4}) do t[#t+1] = k end table.sort(t) return t",
	"return #KEYS > 0 and redis.pcall('zadd', KEYS[1], 1.5, 'a', 2, 'b') or redis.status_reply('nothing')",
	"if #KEYS == 0 then return {} end return redis.pcall('lrange', KEYS[1], 0, -1)",
	"return no.such.thing",
}

func script(s *Source) string { return s.pick(Scripts...) }

func scriptHash(s *Source) string {
	if s.IntN(20) == 0 {
		return "ffffffffffffffffffffffffffffffffffffffff"
	}
	sum := sha1.Sum([]byte(s.pick(Scripts...)))
	return hex.EncodeToString(sum[:])
}
