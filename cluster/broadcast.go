package cluster

import (
	"context"
	"sync"
	"time"

	"holdfast/fsm"
)

// Listener hears what a node has to tell beside replies. Its methods are called by
// goroutines that others wait for: they must not block.
type Listener interface {
	// Receive answers a message that some node, perhaps this one, has broadcast.
	Receive(message []byte) (answer []byte)

	// Events tells what an entry has done to keys. After a restart the events of the
	// log's tail come again.
	Events(events []fsm.Event)

	// Took tells how long something took that commands had to wait for: the log's way to
	// the disk ("aof-fsync-always"), or the beginning of a snapshot ("rdb-snapshot").
	Took(event string, took time.Duration)
}

// Listen sets who listens; before that nothing is heard.
func (n *Node) Listen(l Listener) { n.listener.Store(&l) }

func (n *Node) took(event string, since time.Time) {
	if l := n.listener.Load(); l != nil {
		(*l).Took(event, time.Since(since))
	}
}

const (
	// broadcastTimeout is how long an answer to a broadcast is waited for. A node that
	// was too slow once is not waited for again before it has answered something.
	broadcastTimeout = 200 * time.Millisecond

	// maxUnanswered is how many broadcasts to such a node may be on their way; further
	// ones do not reach it.
	maxUnanswered = 1024
)

// Broadcast hands a message to the listeners of all nodes, this one's included, and
// returns their answers, as far as they come in time. Messages of one goroutine reach a
// node in their order. Nothing is kept for a node that is away.
func (n *Node) Broadcast(ctx context.Context, message []byte) (answers [][]byte) {
	peers := n.peers.all()

	expected := 0
	answered := make(chan []byte, len(peers))
	for _, p := range peers {
		l := p.current()
		if l == nil || p.unanswered.Load() >= maxUnanswered {
			continue
		}
		waited := !p.slow.Load()
		p.unanswered.Add(1)
		l.ask(askBroadcast, message, func(answer []byte, err error) {
			p.unanswered.Add(-1)
			p.slow.Store(false)
			if waited {
				answered <- answer
			}
		})
		if waited {
			expected++
		}
	}
	answers = append(answers, n.receive(message))
	if expected == 0 {
		return answers
	}
	timer := time.NewTimer(broadcastTimeout)
	defer timer.Stop()
	for range expected {
		select {
		case answer := <-answered:
			if answer != nil {
				answers = append(answers, answer)
			}
		case <-timer.C:
			for _, p := range peers {
				if p.unanswered.Load() > 0 {
					p.slow.Store(true)
				}
			}
			return answers
		case <-ctx.Done():
			return answers
		}
	}
	return answers
}

// Settle returns when every node that this one has a link to has applied all writes that
// were acknowledged before the call; nodes that it cannot reach, or that do not answer for
// settleTimeout, are left out.
func (n *Node) Settle(ctx context.Context) error {
	point, err := n.readPoint(ctx)
	if err != nil {
		return err
	}
	if err := n.progress.wait(ctx, n.machine, point.index, 0); err != nil {
		return ErrUncertain
	}
	var wg sync.WaitGroup
	for _, p := range n.peers.all() {
		wg.Go(func() {
			for deadline := time.Now().Add(settleTimeout); ctx.Err() == nil && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
				l := p.current()
				if l == nil {
					return
				}
				answer, err := l.call(askLogState, nil, settleTimeout)
				if err != nil {
					return
				}
				if state, err := decodeLogState(answer); err != nil || state.applied >= point.index {
					return
				}
			}
		})
	}
	wg.Wait()
	return nil
}

const settleTimeout = time.Second

func (n *Node) receive(message []byte) []byte {
	if l := n.listener.Load(); l != nil {
		return (*l).Receive(message)
	}
	return nil
}

func (n *Node) tellEvents() {
	if events := n.machine.Events(); len(events) > 0 {
		if l := n.listener.Load(); l != nil {
			(*l).Events(events)
		}
	}
}
