package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Network is machines and the wires between them.
type Network struct {
	Machines []*Machine

	dir   string
	seed  uint64
	ports []*os.File // the other ends of the machines' interfaces
	wires [][]*Wire  // by the indexes of sender and receiver
}

const mtu = 1500

// NewNetwork makes machines, each with an empty disk of diskBytes. Their images, and the
// places where they are mounted, are files in dir. The seed is of the wires' dice.
func NewNetwork(dir string, machines int, diskBytes int64, seed uint64) (*Network, error) {
	n := &Network{dir: dir, seed: seed}
	for i := range machines {
		if err := n.add(fmt.Sprintf("n%d", i+1), diskBytes); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

func (n *Network) add(name string, diskBytes int64) error {
	i := len(n.Machines)
	m, err := start(name, fmt.Sprintf("10.0.0.%d", i+1))
	if err != nil {
		return err
	}
	n.Machines = append(n.Machines, m)
	if m.Disk, err = newDisk(m, filepath.Join(n.dir, name), diskBytes); err != nil {
		return fmt.Errorf("disk of %s: %w", name, err)
	}
	port, err := m.plug()
	if err != nil {
		return fmt.Errorf("network of %s: %w", name, err)
	}
	n.ports = append(n.ports, port)
	n.wires = append(n.wires, make([]*Wire, i+1))
	for j := range i {
		n.wires[i][j] = newWire(n.ports[j], n.seed, i, j)
		n.wires[j] = append(n.wires[j], newWire(port, n.seed, j, i))
	}
	go n.forward(port, i)
	return nil
}

// plug gives the machine an interface whose packets this process gets.
func (m *Machine) plug() (port *os.File, err error) {
	err = m.Enter(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		request, err := unix.NewIfreq("eth0")
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			unix.Close(fd)
			return fmt.Errorf("make an interface: %w", err)
		}
		port = os.NewFile(uintptr(fd), "eth0 of "+m.Name)
		return errors.Join(
			run("ip", "address", "add", m.IP+"/24", "dev", "eth0"),
			run("ip", "link", "set", "eth0", "mtu", fmt.Sprint(mtu), "up"),
		)
	})
	return port, err
}

// forward puts the packets of a machine on the wires to those that they are for.
func (n *Network) forward(port *os.File, from int) {
	buffer := make([]byte, mtu)
	for {
		size, err := port.Read(buffer)
		if err != nil {
			return // closed
		}
		packet := buffer[:size]
		if size < 20 || packet[0]>>4 != 4 {
			continue // IPv6 looks for neighbours
		}
		to := int(packet[19]) - 1
		if w := n.Wire(from, to); w != nil {
			w.send(packet)
		}
	}
}

// Wire is the way from one machine to another, nil if there is none. The way back is
// another wire.
func (n *Network) Wire(from, to int) *Wire {
	if from == to || to < 0 || to >= len(n.Machines) || from >= len(n.wires) || to >= len(n.wires[from]) {
		return nil
	}
	return n.wires[from][to]
}

// Wires calls do with each wire.
func (n *Network) Wires(do func(from, to int, w *Wire)) {
	for i := range n.Machines {
		for j := range n.Machines {
			if w := n.Wire(i, j); w != nil {
				do(i, j, w)
			}
		}
	}
}

// Close ends the machines and what still runs on them.
func (n *Network) Close() {
	n.Wires(func(_, _ int, w *Wire) { w.close() })
	for _, port := range n.ports {
		port.Close()
	}
	for _, m := range n.Machines {
		m.close()
	}
}
