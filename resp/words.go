package resp

// splitWords appends the words of an inline command to args. Words are divided by
// blanks; a part in "double quotes" knows \n \r \t \b \a \xHH and takes any other
// character after a backslash as it is, one in 'single quotes' only \'. Quotes may begin
// within a word but must be followed by a blank. It reports whether they were balanced.
// A NUL ends the line, as it does in Redis.
func splitWords(line []byte, args [][]byte) ([][]byte, bool) {
	first := len(args)
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) || line[i] == 0 {
			return args, true
		}
		word, n, ok := nextWord(line[i:])
		if !ok {
			return args[:first], false
		}
		args = append(args, word)
		i += n
	}
}

// nextWord returns the word that line begins with and how much of line it takes.
func nextWord(line []byte) (word []byte, n int, ok bool) {
	for n < len(line) && !endsWord(line[n]) && line[n] != '"' && line[n] != '\'' {
		n++
	}
	word = line[:n:n] // aliases the line until a quote makes it differ
	for n < len(line) && !endsWord(line[n]) {
		c := line[n]
		n++
		if c != '"' && c != '\'' {
			word = append(word, c)
			continue
		}
		word = append(make([]byte, 0, len(line)), word...)
		part, m, closed := quoted(line[n:], c)
		n += m
		if !closed || n < len(line) && !isSpace(line[n]) && line[n] != 0 {
			return nil, 0, false
		}
		word = append(word, part...)
	}
	return word, n, true
}

// quoted decodes s up to the closing quote and returns how much of s that took.
func quoted(s []byte, quote byte) (part []byte, n int, closed bool) {
	for n < len(s) && s[n] != 0 {
		c := s[n]
		switch {
		case c == quote:
			return part, n + 1, true
		case c != '\\' || n+1 == len(s) || s[n+1] == 0:
			n++
		case quote == '\'' && s[n+1] == '\'':
			c, n = '\'', n+2
		case quote == '\'':
			n++
		case s[n+1] == 'x' && n+3 < len(s) && hexDigit(s[n+2]) >= 0 && hexDigit(s[n+3]) >= 0:
			c, n = byte(hexDigit(s[n+2])<<4|hexDigit(s[n+3])), n+4
		default:
			c, n = unescape(s[n+1]), n+2
		}
		part = append(part, c)
	}
	return nil, n, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// endsWord has fewer blanks than isSpace: Redis takes \v and \f as part of a word.
func endsWord(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 }
