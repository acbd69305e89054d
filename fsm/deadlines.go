package fsm

// deadlines is a binary heap of the objects of a database that have one. Their order
// is total (deadline, hash, key), so that they come out in the same order on every
// node, whatever the heap's history.
type deadlines struct{ heap []timed }

// timed is an object with its hash, which orders it beside its deadline.
type timed struct {
	object *object
	hash   uint64
}

func (a timed) before(b timed) bool {
	switch {
	case a.object.deadline != b.object.deadline:
		return a.object.deadline < b.object.deadline
	case a.hash != b.hash:
		return a.hash < b.hash
	}
	return a.object.key < b.object.key
}

func (d *deadlines) swap(i, j int) {
	h := d.heap
	h[i], h[j] = h[j], h[i]
	h[i].object.heapPos, h[j].object.heapPos = int32(i), int32(j)
}

// add takes in an object with a deadline.
func (d *deadlines) add(hash uint64, o *object) {
	d.heap = append(d.heap, timed{o, hash})
	o.heapPos = int32(len(d.heap) - 1)
	d.up(len(d.heap) - 1)
}

// remove takes out an object that was added.
func (d *deadlines) remove(o *object) {
	i, last := int(o.heapPos), len(d.heap)-1
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
	o.heapPos = old.heapPos
	d.heap[o.heapPos].object = o
}

func (d *deadlines) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !d.heap[i].before(d.heap[parent]) {
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
		if child+1 < len(d.heap) && d.heap[child+1].before(d.heap[child]) {
			child++
		}
		if !d.heap[child].before(d.heap[i]) {
			break
		}
		d.swap(i, child)
		i = child
	}
	return i > start
}
