package fsm

import (
	"cmp"
	"slices"
)

// once sees to it that a request counts once however often it is sent: it keeps, for
// each incarnation of a node, the replies to its requests above the low water, up to
// which the node has had every answer. A request that comes again is answered from
// here (Ongaro, "Consensus: Bridging Theory and Practice", section 6.3).
type once struct{ incarnations []*incarnation } // by id

// incarnation is one life of a node.
type incarnation struct {
	nodeID   string
	id       uint64 // the index of the entry that registered it
	nonce    uint64
	lowWater uint64
	replies  []kept // by seq, all above lowWater
}

type kept struct {
	seq   uint64
	reply Reply
}

func (o *once) byID(id uint64) *incarnation {
	for _, inc := range o.incarnations { // as many as there are nodes
		if inc.id == id {
			return inc
		}
	}
	return nil
}

func (o *once) byNode(nodeID string) *incarnation {
	for _, inc := range o.incarnations {
		if inc.nodeID == nodeID {
			return inc
		}
	}
	return nil
}

// register makes a node's present incarnation known, if prev is the one before it, and
// returns the id of that one where it has been replaced.
func (o *once) register(index uint64, nodeID string, nonce, prev uint64) (replaced uint64) {
	present := o.byNode(nodeID)
	var presentID uint64
	if present != nil {
		presentID = present.id
	}
	if presentID != prev || present != nil && present.nonce == nonce {
		return 0
	}
	o.drop(nodeID)
	o.incarnations = append(o.incarnations, &incarnation{nodeID: nodeID, id: index, nonce: nonce})
	return presentID
}

// drop forgets a node and returns the id of its incarnation, 0 without one.
func (o *once) drop(nodeID string) (dropped uint64) {
	if inc := o.byNode(nodeID); inc != nil {
		dropped = inc.id
	}
	o.incarnations = slices.DeleteFunc(o.incarnations, func(inc *incarnation) bool { return inc.nodeID == nodeID })
	return dropped
}

// raise drops the replies up to the low water.
func (inc *incarnation) raise(lowWater uint64) {
	if lowWater <= inc.lowWater {
		return
	}
	inc.lowWater = lowWater
	n, _ := inc.find(lowWater + 1)
	k := copy(inc.replies, inc.replies[n:])
	clear(inc.replies[k:])
	inc.replies = inc.replies[:k]
}

func (inc *incarnation) find(seq uint64) (int, bool) {
	if n := len(inc.replies); n == 0 || inc.replies[n-1].seq < seq {
		return n, false // the common case: numbers rise
	}
	return slices.BinarySearchFunc(inc.replies, seq, func(k kept, seq uint64) int { return cmp.Compare(k.seq, seq) })
}

// answered returns the reply to a request that has been applied, nil if the reply was
// dropped because the node has it.
func (inc *incarnation) answered(seq uint64) (Reply, bool) {
	if seq <= inc.lowWater {
		return nil, true
	}
	if i, found := inc.find(seq); found {
		return inc.replies[i].reply, true
	}
	return nil, false
}

func (inc *incarnation) keep(seq uint64, reply Reply) {
	i, _ := inc.find(seq)
	inc.replies = slices.Insert(inc.replies, i, kept{seq, reply})
}

func (o *once) clone() *once {
	c := &once{}
	for _, inc := range o.incarnations {
		copied := *inc
		copied.replies = slices.Clone(inc.replies)
		c.incarnations = append(c.incarnations, &copied)
	}
	return c
}

// Encoding, in a field of the snapshot:
//
//	count | { node id | id | nonce | low water | count | { seq | reply } }
func (o *once) encode() []byte {
	var e encoder
	e.uint(uint64(len(o.incarnations)))
	for _, inc := range o.incarnations {
		e.string(inc.nodeID)
		e.uint(inc.id)
		e.uint(inc.nonce)
		e.uint(inc.lowWater)
		e.uint(uint64(len(inc.replies)))
		for _, k := range inc.replies {
			e.uint(k.seq)
			e.string(string(k.reply))
		}
	}
	return e.buf
}

func decodeOnce(data []byte) (*once, error) {
	o := &once{}
	d := decoder{buf: data}
	for range d.count() {
		inc := &incarnation{nodeID: string(d.bytes()), id: d.uint(), nonce: d.uint(), lowWater: d.uint()}
		for range d.count() {
			seq, reply := d.uint(), d.bytes()
			if seq <= inc.lowWater || len(inc.replies) > 0 && seq <= inc.replies[len(inc.replies)-1].seq {
				d.failed = true
			}
			inc.replies = append(inc.replies, kept{seq, append(Reply(nil), reply...)})
		}
		o.incarnations = append(o.incarnations, inc)
	}
	return o, d.err()
}
