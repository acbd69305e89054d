package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"holdfast/cluster"
	"holdfast/resp"
)

type serveCommand struct{ settings }

// Run serves until a signal or a failure ends the node. Everything closes in the
// reverse order of its opening.
func (s *serveCommand) Run() error {
	clusterConfig, respConfig, err := s.configs()
	if err != nil {
		return err
	}
	log := newLogger(os.Stderr, s.LogFormat, s.LogLevel)
	slog.SetDefault(log)
	clusterConfig.Logger = log
	var gc gcPolicy
	clusterConfig.Restoring = gc.rest
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	clients, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen for clients on %s: %w", s.Listen, err)
	}
	defer clients.Close()
	gc.watch()

	node, err := cluster.Open(context.Background(), clusterConfig)
	if err != nil {
		return err
	}
	server := resp.New(respConfig, store{node}, log)
	node.Listen(server)
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(clients) }()
	if s.HTTP != "" {
		web := &http.Server{Addr: s.HTTP, Handler: health(node, s.Pprof), ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute}
		go func() {
			if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve HTTP: %w", err)
			}
		}()
		defer web.Close()
	}
	log.Info("serving", "version", version, "clients", clients.Addr().String(), "dir", s.Dir)

	select {
	case sig := <-signals:
		log.Info("stopping", "signal", sig.String())
	case <-server.ShutdownAsked():
		log.Info("stopping", "command", "SHUTDOWN")
	case err = <-failed:
	case <-node.Done():
	}
	go func() {
		<-signals
		fail(errors.New("interrupted while stopping"))
	}()
	return errors.Join(err, stop(node, server, log))
}

const stopTimeout = 10 * time.Second

// stop moves leadership away first, so that the clients of the other nodes do not
// wait for this one.
func stop(node *cluster.Node, server *resp.Server, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if len(node.Status().Members) > 1 {
		transfer, cancel := context.WithTimeout(ctx, 2*time.Second)
		if err := node.TransferLeadership(transfer); err != nil {
			log.Warn("leadership stays here until the others notice", "error", err)
		}
		cancel()
	}
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("clients cut off", "error", err)
		server.Close()
	}
	return node.Close()
}
