package fsm

import (
	"iter"
	"math/bits"
)

var memoryCommands = []Command{
	{Name: "MEMORY", Arity: -2, Group: "server", Since: "4.0.0",
		Summary: "Tells what takes memory.", Cost: "Depends on subcommand.", Subcommands: []Command{
			{Name: "USAGE", Arity: -3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Group: "server", Since: "4.0.0",
				Summary: "Estimates the bytes that a key and its value take.", Syntax: "key [SAMPLES count]",
				Cost: "O(N) where N is the number of samples", Run: memoryUsageCommand},
		}},
}

// What there is beside the bytes of keys and elements, on 64 bits: the sizes of structs,
// and of slots in tables, heaps and trees with what is free there on average.
const (
	keyBytes      = 48 + 30 // object, slot
	deadlineBytes = 20
	stringBytes   = 32
	packedBytes   = 40
	chunkOverhead = packedBytes + 16
	setBytes      = 160
	hashBytes     = 64
	zsetBytes     = 64
	memberBytes   = 36 // of a member of a set in its tree
	fieldBytes    = 36
	timeBytes     = 48
	scoredBytes   = 84 // in both trees
)

const defaultSamples = 5

func parseMemoryUsage(args [][]byte) (samples int, err error) {
	samples = defaultSamples
	for i := 3; i < len(args); i += 2 {
		if !is(args[i], "SAMPLES") || i+1 == len(args) {
			return 0, ErrSyntax
		}
		n, err := intArg(args[i+1])
		switch {
		case err != nil:
			return 0, err
		case n < 0:
			return 0, ErrSyntax
		}
		samples = int(n)
	}
	return samples, nil
}

// memoryUsageCommand estimates from what a value holds, and not from how it came to it, so
// that every node says the same. It is within a third of what the memory really is: see
// TestMemoryUsage.
func memoryUsageCommand(tx *Tx, args [][]byte) (Reply, error) {
	samples, err := parseMemoryUsage(args)
	if err != nil {
		return nil, err
	}
	object := tx.lookup(args[2])
	if object == nil {
		return Nil, nil
	}
	size := keyBytes + sizeClass(len(object.key)) + object.value.memory(samples)
	if object.deadline != 0 {
		size += deadlineBytes
	}
	return Int(int64(size)), nil
}

// sizeClass is what the Go runtime takes for n bytes: its size classes are about an
// eighth apart.
func sizeClass(n int) int {
	step := 16
	if n > 256 {
		step = 1 << (bits.Len(uint(n-1)) - 4)
	}
	return (n + step - 1) / step * step
}

// sampled estimates the sum over n sizes from the first ones, or from all where samples
// is 0.
func sampled(n, samples int, sizes iter.Seq[int]) int {
	if samples == 0 || samples > n {
		samples = n
	}
	seen, sum := 0, 0
	for size := range sizes {
		if sum, seen = sum+size, seen+1; seen >= samples {
			break
		}
	}
	return int(float64(sum) / float64(max(seen, 1)) * float64(n))
}

// mapped visits what f makes of the items.
func mapped[T, U any](items iter.Seq[T], f func(T) U) iter.Seq[U] {
	return func(yield func(U) bool) {
		for item := range items {
			if !yield(f(item)) {
				return
			}
		}
	}
}

func (s *str) memory(int) int { return stringBytes + sizeClass(len(s.b)) }

func (l *list) memory(samples int) int {
	elements := sampled(l.n, samples, func(yield func(int) bool) {
		l.forward(0, func(_ int, element []byte) bool { return yield(uvarintLen(len(element)) + len(element)) })
	})
	chunks := max(1, (l.n+chunkElements-1)/chunkElements, (elements+chunkBytes-1)/chunkBytes)
	return packedBytes + chunks*chunkOverhead + sizeClass(elements/chunks)*chunks
}

func (s *set) memory(samples int) int {
	switch s.form {
	case intsForm:
		return setBytes + sizeClass(len(s.ints.b))
	case packedForm:
		return setBytes + sizeClass(len(s.small.b))
	}
	return setBytes + sampled(s.n, samples, mapped(s.tree.from(0), func(m member) int {
		return memberBytes + sizeClass(len(m.s))
	}))
}

func (h *hash) memory(samples int) int {
	if h.large == nil {
		return hashBytes + sizeClass(len(h.small.b))
	}
	return hashBytes + sampled(h.len(), samples, mapped(h.large.from(0), func(f fieldByHash) int {
		size := fieldBytes + sizeClass(len(f.record))
		if f.field().deadline != 0 {
			size += timeBytes
		}
		return size
	}))
}

func (z *zset) memory(samples int) int {
	if z.ranked == nil {
		return zsetBytes + sizeClass(len(z.small.b))
	}
	return zsetBytes + sampled(z.len(), samples, mapped(z.ranked.from(0), func(e scored) int {
		return scoredBytes + sizeClass(len(e.member))
	}))
}
