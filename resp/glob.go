package resp

// globMatch reports whether name matches a pattern of Redis, without regard to case, as
// CONFIG GET and COMMAND LIST match: * ? [abc] [^a-c] and \ before any of them.
func globMatch(pattern, name string) bool {
	for len(pattern) > 0 {
		switch pattern[0] {
		case '*':
			for len(pattern) > 1 && pattern[1] == '*' {
				pattern = pattern[1:]
			}
			if len(pattern) == 1 {
				return true
			}
			for i := range len(name) + 1 {
				if globMatch(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case '?':
			if name == "" {
				return false
			}
			pattern = pattern[1:]
		case '[':
			if name == "" {
				return false
			}
			matched, rest := globClass(pattern[1:], lower(name[0]))
			if !matched {
				return false
			}
			pattern = rest
		default:
			if pattern[0] == '\\' && len(pattern) > 1 {
				pattern = pattern[1:]
			}
			if name == "" || lower(name[0]) != lower(pattern[0]) {
				return false
			}
			pattern = pattern[1:]
		}
		name = name[1:]
	}
	return name == ""
}

// globClass matches c against the class that pattern begins with, and returns what
// follows it. A class that is not closed reaches to the end.
func globClass(pattern string, c byte) (matched bool, rest string) {
	negated := len(pattern) > 0 && pattern[0] == '^'
	if negated {
		pattern = pattern[1:]
	}
	for len(pattern) > 0 && pattern[0] != ']' {
		switch {
		case pattern[0] == '\\' && len(pattern) > 1:
			matched = matched || lower(pattern[1]) == c
			pattern = pattern[2:]
		case len(pattern) > 2 && pattern[1] == '-':
			from, to := lower(pattern[0]), lower(pattern[2])
			matched = matched || min(from, to) <= c && c <= max(from, to)
			pattern = pattern[3:]
		default:
			matched = matched || lower(pattern[0]) == c
			pattern = pattern[1:]
		}
	}
	if len(pattern) > 0 {
		pattern = pattern[1:]
	}
	return matched != negated, pattern
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
