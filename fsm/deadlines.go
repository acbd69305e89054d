package fsm

// deadlines is a binary heap of the objects of a database that have one. Their order
// is total (deadline, hash, key), so that they come out in the same order on every
// node, whatever the heap's history.
type deadlines struct {
	heap     []timed
	ofFields bool // the deadline of an object is the earliest among its fields
}

// timed is an object with its hash, which orders it beside its deadline.
type timed struct {
	object *object
	hash   uint64
}

func (d *deadlines) of(o *object) Millis {
	if d.ofFields {
		return o.value.(*hash).timed.next
	}
	return o.deadline
}

// position is where an object keeps its place in the heap.
func (d *deadlines) position(o *object) *int32 {
	if d.ofFields {
		return &o.value.(*hash).timed.heapPos
	}
	return &o.heapPos
}

func (d *deadlines) before(a, b timed) bool {
	at, bt := d.of(a.object), d.of(b.object)
	switch {
	case at != bt:
		return at < bt
	case a.hash != b.hash:
		return a.hash < b.hash
	}
	return a.object.key < b.object.key
}

// next is the object with the earliest deadline.
func (d *deadlines) next() (timed, bool) {
	if len(d.heap) == 0 {
		return timed{}, false
	}
	return d.heap[0], true
}

func (d *deadlines) place(i int, t timed) {
	d.heap[i] = t
	*d.position(t.object) = int32(i)
}

func (d *deadlines) swap(i, j int) {
	a, b := d.heap[i], d.heap[j]
	d.place(i, b)
	d.place(j, a)
}

// add takes in an object with a deadline.
func (d *deadlines) add(hash uint64, o *object) {
	d.heap = append(d.heap, timed{})
	d.place(len(d.heap)-1, timed{o, hash})
	d.up(len(d.heap) - 1)
}

// remove takes out an object that was added.
func (d *deadlines) remove(o *object) {
	i, last := int(*d.position(o)), len(d.heap)-1
	if i != last {
		d.swap(i, last)
	}
	d.heap[last] = timed{}
	d.heap = d.heap[:last]
	if i != last && !d.down(i) {
		d.up(i)
	}
	if cap(d.heap) > 1024 && len(d.heap) < cap(d.heap)/4 {
		d.heap = append(make([]timed, 0, len(d.heap)*2), d.heap...)
	}
}

// replace puts an object in the place of another with the same key and deadline.
func (d *deadlines) replace(old, o *object) {
	i := *d.position(old)
	*d.position(o) = i
	d.heap[i].object = o
}

// fix puts an object whose deadline has changed where it belongs.
func (d *deadlines) fix(o *object) {
	if i := int(*d.position(o)); !d.down(i) {
		d.up(i)
	}
}

func (d *deadlines) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !d.before(d.heap[i], d.heap[parent]) {
			return
		}
		d.swap(i, parent)
		i = parent
	}
}

func (d *deadlines) down(i int) bool {
	start := i
	for {
		child := 2*i + 1
		if child >= len(d.heap) {
			break
		}
		if child+1 < len(d.heap) && d.before(d.heap[child+1], d.heap[child]) {
			child++
		}
		if !d.before(d.heap[child], d.heap[i]) {
			break
		}
		d.swap(i, child)
		i = child
	}
	return i > start
}
