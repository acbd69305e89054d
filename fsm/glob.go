package fsm

// Match reports whether a binary-safe string matches a pattern of Redis (KEYS, SCAN):
// '*' any bytes, '?' one, '[a-c]' one of a class, '[^a-c]' one not of it, '\' takes the
// special meaning from what follows. A class that is not closed reaches to the end.
//
// It takes time proportional to the product of the lengths at most: after a '*' failed
// to match further on, an earlier one need not be tried again.
func Match(pattern, s []byte) bool {
	if len(s) == 0 { // as in Redis, "**" does not match nothing
		return len(pattern) == 0 || len(pattern) == 1 && pattern[0] == '*'
	}
	p, i := 0, 0
	star, retry := -1, 0 // after the last '*', and where its match ends
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, retry = p, i
			continue
		}
		if p < len(pattern) {
			if next, ok := matchOne(pattern, p, s[i]); ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		retry++
		p, i = star, retry
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches c against the element at p and returns what follows it.
func matchOne(pattern []byte, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchClass(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

func matchClass(pattern []byte, p int, c byte) (next int, ok bool) {
	negated := p < len(pattern) && pattern[p] == '^'
	if negated {
		p++
	}
	matched := false
	for ; p < len(pattern); p++ {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			p++
			matched = matched || pattern[p] == c
		case pattern[p] == ']':
			return p + 1, matched != negated
		case p+2 < len(pattern) && pattern[p+1] == '-':
			low, high := min(pattern[p], pattern[p+2]), max(pattern[p], pattern[p+2])
			matched = matched || low <= c && c <= high
			p += 2
		default:
			matched = matched || pattern[p] == c
		}
	}
	return p, matched != negated
}
