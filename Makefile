# What people run. `make up` and `make test` are all the set-up there is.
.PHONY: build up down test race lint deps drill bench clean

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)

build: # bin/holdfast, static
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/holdfast ./cmd/node

up: build # three nodes on this machine
	scripts/cluster up

down:
	scripts/cluster down

ifdef HOLDFAST_NO_DOCKER # for a machine that can run no engine
without_docker := -skip '^TestCompose$$'
endif

# A member that moves makes hashicorp/raft 1.8.0 read its address in one goroutine while
# another writes it (replication.go, raft.go): the test
# that has one move runs without the race detector.
moves := ^TestNameFoundLater$$

# Most tests wait more than they compute: for disks, timers and other processes. So more of
# them run at a time than there are processors, but for those that measure time, which have
# no others beside them in their package. test/chaos comes early for their sake: of the
# packages that run beside ./test it takes the least of the processors. Lint, which only
# computes, runs beside the first of them.
test: deps build # everything that CI runs
	$(MAKE) -j2 -O race lint
	go test -timeout 30m -count 1 -run '$(moves)' ./cluster
	HOLDFAST_BIN=$(CURDIR)/bin/holdfast go test -timeout 30m -count 1 -parallel 5 $(without_docker) ./test ./test/chaos ./test/...
	@test -z "$(HOLDFAST_NO_DOCKER)" || echo "HOLDFAST_NO_DOCKER is set: Dockerfile and docker-compose.yml have NOT been tested"

race:
	go test -race -timeout 30m -parallel 6 -skip '$(moves)' ./cluster/... ./cmd/... ./fsm/... ./resp/...

lint:
	@unformatted=$$(gofmt -l cmd cluster fsm resp test); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

deps: # what the tests need beside Go: installed, or named
	scripts/deps

drill: build # the failover test that a person runs
	scripts/drill

bench: build
	scripts/bench

clean:
	rm -rf bin
