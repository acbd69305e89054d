//go:build !linux

package cluster

import (
	"net"
	"time"
)

func boundDelivery(net.Conn, time.Duration) {}
