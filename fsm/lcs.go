package fsm

// maxLCSCells bounds the table that LCS fills: 256 MiB of it.
const maxLCSCells = 64 << 20

type lcsOptions struct {
	length, index, withMatchLength bool
	minMatch                       int64
}

func parseLCS(args [][]byte) (o lcsOptions, err error) {
	for i := 3; i < len(args); i++ {
		switch {
		case is(args[i], "LEN"):
			o.length = true
		case is(args[i], "IDX"):
			o.index = true
		case is(args[i], "WITHMATCHLEN"):
			o.withMatchLength = true
		case is(args[i], "MINMATCHLEN") && i+1 < len(args):
			if o.minMatch, err = intArg(args[i+1]); err != nil {
				return o, err
			}
			o.minMatch = max(o.minMatch, 0)
			i++
		default:
			return o, ErrSyntax
		}
	}
	if o.length && o.index {
		return o, NewError("ERR", "If you want both the length and indexes, please just use IDX.")
	}
	return o, nil
}

func lcsCommand(tx *Tx, args [][]byte) (Reply, error) {
	var strings [2][]byte
	for i := range strings {
		s, ok, err := get[*str](tx, args[1+i])
		if err != nil {
			return nil, NewError("ERR", "The specified keys must contain string values")
		}
		if ok {
			strings[i] = s.b
		}
	}
	o, err := parseLCS(args)
	if err != nil {
		return nil, err
	}
	a, b := strings[0], strings[1]
	if (len(a)+1)*(len(b)+1) > maxLCSCells {
		return nil, NewError("ERR", "Insufficient memory, failed allocating transient memory for LCS")
	}
	table := lcsTable(a, b)
	length := int64(table[len(a)*(len(b)+1)+len(b)])
	if o.length {
		return Int(length), nil
	}
	text, matches := lcsWalk(table, a, b)
	if !o.index {
		return Bulk(text), nil
	}
	var found Builder
	count := 0
	for _, m := range matches {
		if m.length < o.minMatch {
			continue
		}
		count++
		if o.withMatchLength {
			found.Array(3)
		} else {
			found.Array(2)
		}
		for _, start := range []int64{m.a, m.b} {
			found.Array(2)
			found.Int(start)
			found.Int(start + m.length - 1)
		}
		if o.withMatchLength {
			found.Int(m.length)
		}
	}
	var reply Builder
	reply.Map(2)
	reply.BulkString("matches")
	reply.Array(count)
	reply.Append(found.Reply())
	reply.BulkString("len")
	reply.Int(length)
	return reply.Reply(), nil
}

// lcsTable is the table of the textbook: cell (i, j) has the length for the first i
// bytes of a and the first j of b.
func lcsTable(a, b []byte) []uint32 {
	width := len(b) + 1
	table := make([]uint32, (len(a)+1)*width)
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				table[i*width+j] = table[(i-1)*width+j-1] + 1
			} else {
				table[i*width+j] = max(table[(i-1)*width+j], table[i*width+j-1])
			}
		}
	}
	return table
}

// lcsMatch is a run that both strings share, at these offsets.
type lcsMatch struct{ a, b, length int64 }

// lcsWalk follows the table from its end and returns the subsequence and its runs, the
// last one first, as Redis does.
func lcsWalk(table []uint32, a, b []byte) (text []byte, matches []lcsMatch) {
	width := len(b) + 1
	i, j := len(a), len(b)
	n := table[i*width+j]
	text = make([]byte, n)
	var run lcsMatch
	for i > 0 && j > 0 {
		if a[i-1] != b[j-1] {
			if table[(i-1)*width+j] > table[i*width+j-1] {
				i--
			} else {
				j--
			}
			continue
		}
		n--
		text[n] = a[i-1]
		i, j = i-1, j-1
		if run.length > 0 && run.a == int64(i)+1 && run.b == int64(j)+1 {
			run = lcsMatch{int64(i), int64(j), run.length + 1}
			continue
		}
		if run.length > 0 {
			matches = append(matches, run)
		}
		run = lcsMatch{int64(i), int64(j), 1}
	}
	if run.length > 0 {
		matches = append(matches, run)
	}
	return text, matches
}
