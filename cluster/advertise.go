package cluster

import (
	"context"
	"net"
	"time"
)

// advertised is where the other nodes dial this one.
func (n *Node) advertised() string {
	if n.config.Advertise != "" {
		return n.config.Advertise
	}
	self, outbound := n.formation.addresses()
	if self != "" {
		return self
	}
	host, _, _ := net.SplitHostPort(n.config.Bus)
	_, port, _ := net.SplitHostPort(n.bus.listener.Addr().String())
	if !unspecified(host) {
		return net.JoinHostPort(host, port)
	}
	if outbound == "" {
		outbound = "127.0.0.1" // nobody has been told yet
	}
	return net.JoinHostPort(outbound, port)
}

// client is where clients connect to this node, as the other nodes are told: at the
// host that those use, when it listens on every address.
func (n *Node) client() string {
	host, port, err := net.SplitHostPort(n.config.Client)
	if err != nil || !unspecified(host) {
		return n.config.Client
	}
	host, _, _ = net.SplitHostPort(n.advertised())
	return net.JoinHostPort(host, port)
}

// unspecified reports whether a host to listen on means every address.
func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// addresses returns the entry of --join that is this node, and the address that it has
// in its connections with others; "" while unknown.
func (f *formation) addresses() (self, outbound string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.self, f.outbound
}

const findSelfInterval = time.Second

// findSelf looks for this node in --join until it is found or all are others. A node may
// be started before its name, or any name, can be looked up.
func (f *formation) findSelf(ctx context.Context) {
	for {
		found := f.probe(ctx)
		found.close()
		if self, _ := f.addresses(); self != "" || len(found.fresh)+len(found.members) >= len(f.n.config.Join) {
			return
		}
		select {
		case <-time.After(findSelfInterval):
		case <-ctx.Done():
			return
		}
	}
}

// leads takes note of the address that this node has in a connection with another. The
// first is kept, unless it is one that means something on this machine alone.
func (f *formation) leads(conn net.Conn) {
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && (f.outbound == "" || net.ParseIP(f.outbound).IsLoopback() && !net.ParseIP(host).IsLoopback()) {
		f.outbound = host
	}
}
