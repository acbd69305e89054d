package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tidwall/redcon"

	"holdfast/cluster"
	"holdfast/fsm"
)

func main() {
	c := cluster.DefaultConfig()
	flag.StringVar(&c.ID, "id", "", "")
	flag.StringVar(&c.Dir, "dir", "", "")
	listen := flag.String("listen", "", "")
	flag.StringVar(&c.Bus, "bus", "", "")
	join := flag.String("join", "", "")
	httpAddr := flag.String("http", "", "")
	flag.Parse()
	if *join != "" {
		c.Join = strings.Split(*join, ",")
	}
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	n, err := cluster.Open(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	if *httpAddr != "" {
		go http.ListenAndServe(*httpAddr, nil)
	}
	go func() {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, syscall.SIGTERM)
		<-ch
		n.Close()
		os.Exit(0)
	}()
	ctx := context.Background()
	handle := func(conn redcon.Conn, cmd redcon.Command) {
		cmds := append([]redcon.Command{cmd}, conn.ReadPipeline()...)
		i := 0
		for i < len(cmds) {
			write := !strings.EqualFold(string(cmds[i].Args[0]), "GET") && !strings.EqualFold(string(cmds[i].Args[0]), "INFO")
			if strings.EqualFold(string(cmds[i].Args[0]), "INFO") {
				if n.Status().Role == "leader" { conn.WriteBulkString("leader") } else {
				err := n.Ready()
				if err != nil { conn.WriteError("ERR "+err.Error()) } else { conn.WriteBulkString(n.Status().Role) } }
				i++
				continue
			}
			if write {
				var g []fsm.Request
				for i < len(cmds) && !strings.EqualFold(string(cmds[i].Args[0]), "GET") {
					g = append(g, fsm.Request{Calls: []fsm.Call{{Args: cmds[i].Args}}})
					i++
				}
				rs, err := n.Write(ctx, g)
				for j := range g {
					if err != nil {
						conn.WriteError(err.Error())
					} else {
						conn.WriteRaw(rs[j])
					}
				}
			} else {
				var g []fsm.Call
				for i < len(cmds) && strings.EqualFold(string(cmds[i].Args[0]), "GET") {
					g = append(g, fsm.Call{Args: cmds[i].Args})
					i++
				}
				rs, err := n.Read(ctx, g)
				for j := range g {
					if err != nil {
						conn.WriteError(err.Error())
					} else {
						conn.WriteRaw(rs[j])
					}
				}
			}
		}
	}
	log.Fatal(redcon.ListenAndServe(*listen, handle, func(redcon.Conn) bool { return true }, func(redcon.Conn, error) {}))
}
