package main

// mutation is a change that breaks a promise, and the test that has to notice.
type mutation struct {
	name     string
	file     string
	old, new string
	pkg      string
	test     string
}

var mutations = []mutation{
	{
		name: "skip the once-table",
		file: "fsm/once.go", old: "if i, found := inc.find(seq); found {", new: "if i, found := inc.find(seq); found && false {",
		pkg: "cluster", test: "TestAppliedAfterLeadershipWasLost",
	}, {
		name: "skip the once-table, while everything breaks",
		file: "fsm/once.go", old: "if i, found := inc.find(seq); found {", new: "if i, found := inc.find(seq); found && false {",
		pkg: "test/sim", test: "TestSim",
	}, {
		name: "install a snapshot that arrives late",
		file: "cluster/screen.go", old: "if n.isPast(request) {", new: "if false {",
		pkg: "cluster", test: "TestLateSnapshot",
	}, {
		name: "commit what nobody has shown to be the leader's",
		file: "cluster/screen.go", old: "boundCommit(request)\n", new: "\n",
		pkg: "cluster", test: "TestUncommittedSuffix",
	}, {
		name: "apply twice after a restart: no once-table in snapshots",
		file: "fsm/once.go", old: "for _, k := range inc.replies {\n\t\t\te.uint(k.seq)", new: "for _, k := range inc.replies {\n\t\t\te.uint(k.seq + 1<<40)",
		pkg: "fsm", test: "TestRequestCountsOnce",
	}, {
		name: "forget the low-water mark",
		file: "cluster/outbox.go", old: "return o.groups[0].first - 1", new: "return 0",
		pkg: "cluster", test: "TestLowWater",
	}, {
		name: "run what was given up",
		file: "fsm/once.go", old: "if seq <= inc.lowWater {\n\t\treturn nil, true", new: "if seq <= inc.lowWater {\n\t\treturn nil, false",
		pkg: "fsm", test: "TestOnce",
	}, {
		name: "take a request of a replaced incarnation",
		file: "fsm/machine.go", old: "return ErrorReply(errReplaced)", new: "inc = &incarnation{}",
		pkg: "fsm", test: "TestRequestCountsOnce",
	}, {
		name: "answer reads locally",
		file: "cluster/read.go", old: "if need == 0 || n.config.UnsafeLocalReads {", new: "if true {",
		pkg: "test", test: "TestPausedLeaderServesNoStaleRead",
	}, {
		name: "confirm leadership with an old answer",
		file: "cluster/batcher.go", old: "for _, ch := range batch {\n\t\t\t\tch <-", new: "b.mu.Lock()\n\t\t\tbatch = append(batch, b.waiting...)\n\t\t\tb.waiting = nil\n\t\t\tb.mu.Unlock()\n\t\t\tfor _, ch := range batch {\n\t\t\t\tch <-",
		pkg: "cluster", test: "TestBatcherAsksAfterwards",
	}, {
		name: "read before an entry of the own term",
		file: "cluster/read.go", old: "if n.appliedTerm.Load() != term {", new: "if false {",
		pkg: "cluster", test: "TestReadAfterElection",
	}, {
		name: "read at a follower without waiting for the index",
		file: "cluster/read.go", old: "if n.machine.Index() >= point.index && !n.quarantine.on() {\n\t\treplies", new: "if true {\n\t\treplies",
		pkg: "cluster", test: "TestWriteAnywhereReadEverywhere",
	}, {
		name: "acknowledge before fsync",
		file: "cluster/walfile.go", old: "func (f *walFile) Sync() error { return f.Datasync() }", new: "func (f *walFile) Sync() error { return nil }",
		pkg: "test/chaos", test: "TestPowerCut",
	}, {
		name: "drop a reap",
		file: "cluster/reaper.go", old: "r.n.proposer.wantReap()", new: "",
		pkg: "cluster", test: "TestReapUnasked",
	}, {
		name: "judge deadlines by a clock that goes back",
		file: "fsm/machine.go", old: "m.clock = max(m.clock, at)", new: "m.clock = at",
		pkg: "fsm", test: "TestClockGoesForward",
	}, {
		name: "believe a clock that is an hour ahead",
		file: "cluster/clocks.go", old: "min(max(c.own(), middle-c.bound/2), middle+c.bound/2)", new: "max(c.own(), middle-c.bound/2)",
		pkg: "test/sim", test: "TestWrongClock",
	}, {
		name: "stand against a leader that lives",
		file: "cluster/detector.go", old: "if !n.provenDead(broken) {\n\t\treturn", new: "if !n.provenDead(broken) {\n\t\tn.campaign(leader, term)\n\t\treturn",
		pkg: "cluster", test: "TestBrokenLinksToLivingLeader",
	}, {
		name: "stand against a leader of the same term",
		file: "cluster/detector.go", old: "r.State() == raft.Leader || leader != \"\" && string(leader) != dead {", new: "false && leader != \"\" {",
		pkg: "cluster", test: "TestWhoMayStand",
	}, {
		name: "stand twice in a term",
		file: "cluster/detector.go", old: "if n.campaigned.Swap(term) == term {", new: "if n.campaigned.Swap(term) == term && false {",
		pkg: "cluster", test: "TestWhoMayStand",
	}, {
		name: "a non-voter stands",
		file: "cluster/detector.go", old: "r.CurrentTerm() < term || !n.isVoter(r) ||", new: "r.CurrentTerm() < term ||",
		pkg: "cluster", test: "TestWhoMayStand",
	}, {
		name: "stand beside the best log",
		file: "cluster/detector.go", old: "if d := (decoder{buf: answer}); err == nil && d.bool() {", new: "if d := (decoder{buf: answer}); err == nil && d.bool() && false {",
		pkg: "cluster", test: "TestCrashedLeaderOnSlowNetwork",
	}, {
		name: "replace a leader that one follower does not hear",
		file: "cluster/silence.go", old: "if !n.silence.of(leader, n.raft().LastContact()) {", new: "if false {",
		pkg: "cluster", test: "TestUnheardByOne",
	}, {
		name: "take a busy or slow network for silence",
		file: "cluster/silence.go", old: "min(max(2*s.usual, 3*s.timeout/4+s.trip), s.timeout)", new: "s.timeout / 2",
		pkg: "cluster", test: "TestSilence",
	}, {
		name: "take the time that this process stood still for silence",
		file: "cluster/silence.go", old: "min(now.Sub(s.looked), 2*s.timeout/looksPerTimeout)", new: "now.Sub(s.looked)",
		pkg: "cluster", test: "TestSilence",
	}, {
		name: "wait for silence when a process is gone",
		file: "cluster/detector.go", old: "case errors.Is(err, syscall.ECONNREFUSED):\n\t\t\treturn true", new: "case errors.Is(err, syscall.ECONNREFUSED):\n\t\t\treturn false",
		pkg: "test/sim", test: "TestPauses",
	}, {
		name: "leave without handing over",
		file: "cluster/node.go", old: "if err := n.transferWithin(n.config.ElectionTimeout); err != nil {", new: "if err := error(nil); err != nil {",
		pkg: "test/sim", test: "TestPauses",
	}, {
		name: "leave a full segment the last one",
		file: "cluster/rotation.go", old: "if err == nil && !sealed {", new: "if true || !sealed {",
		pkg: "cluster", test: "TestUnfinishedRotation",
	}, {
		name: "catch up before everybody else",
		file: "cluster/screen.go", old: "if n.leaderCommit.Load() < request.LeaderCommitIndex {", new: "if true {",
		pkg: "cluster", test: "TestCatchUpGivesWay",
	}, {
		name: "believe a damaged list of members",
		file: "cluster/snapfiles.go", old: "err = checkMeta(disk, s.dir, data)", new: "_ = checkMeta",
		pkg: "cluster", test: "TestDamagedSnapshot",
	}, {
		name: "take an older snapshot than the newest",
		file: "cluster/snapfiles.go", old: "cmp.Compare(b.index, a.index)", new: "cmp.Compare(a.index, b.index)",
		pkg: "cluster", test: "TestDamagedSnapshot",
	}, {
		name: "give a snapshot its name before its checksum",
		file: "cluster/steady.go", old: "if err := writeMetaSum(s.store.disk, s.dir, s.size, s.sum.Sum(nil)); err != nil {", new: "if _ = writeMetaSum; err != nil {",
		pkg: "cluster", test: "TestSnapshotAfterCrash",
	}, {
		name: "send a damaged list of members to others",
		file: "cluster/steady.go", old: "meta, err := all[0].meta(s.disk)\n\tif err != nil {", new: "meta, err := all[0].meta(s.disk)\n\tif false {",
		pkg: "cluster", test: "TestSnapshotDamagedBeforeItIsSent",
	}, {
		name: "keep an older snapshot that passes for the newest",
		file: "cluster/snapfiles.go", old: "return max(covered, last), dropDamaged(disk, older, logger)", new: "return max(covered, last), nil",
		pkg: "cluster", test: "TestDamagedSnapshot",
	}, {
		name: "believe a damaged identity",
		file: "cluster/identity.go", old: "id.Sum != id.sum()", new: "false",
		pkg: "cluster", test: "TestDamagedIdentity",
	}, {
		name: "compare what only a snapshot has",
		file: "cluster/screen.go", old: "n.skipCovered(request)", new: "_ = n.skipCovered",
		pkg: "cluster", test: "TestStaleSuffixBehindSnapshot",
	}, {
		name: "leave the log that raft could not clear",
		file: "cluster/screen.go", old: "n.storage.dropOld(applied)", new: "n.storage.log.FirstIndex()",
		pkg: "cluster", test: "TestStaleSuffixBehindSnapshot",
	}, {
		name: "say nothing of a disk without room for a snapshot",
		file: "cluster/disks.go", old: "n.storage.cramped.Swap(false) || n.disk.isFull()", new: "n.disk.isFull()",
		pkg: "cluster", test: "TestNoRoomForSnapshot",
	}, {
		name: "notice silence later after having led",
		file: "cluster/silence.go", old: "case leader == \"\" || leader != s.leader:", new: "case leader != s.leader:",
		pkg: "cluster", test: "TestSilence",
	}, {
		name: "serve a damaged snapshot",
		file: "cluster/snapfiles.go", old: "case bytes.Equal(sum.Sum(nil), meta.CRC):", new: "case true || bytes.Equal(sum.Sum(nil), meta.CRC):",
		pkg: "cluster", test: "TestDamagedSnapshot",
	}, {
		name: "count the vote of a voter whose disk was emptied",
		file: "cluster/members.go", old: "if known && server.Suffrage == raft.Voter {", new: "if known && server.Suffrage == raft.Voter && false {",
		pkg: "test", test: "TestEmptiedNodeDoesNotVote",
	}, {
		name: "believe a damaged vote",
		file: "cluster/stable.go", old: "binary.BigEndian.Uint32(stored[n:]) != valueSum(key, stored[:n])", new: "false",
		pkg: "cluster", test: "TestDamagedBolt",
	}, {
		name: "go on from the last transaction but one",
		file: "cluster/boltfile.go", old: "binary.LittleEndian.Uint64(meta[56:]) != sum.Sum64()", new: "false",
		pkg: "cluster", test: "TestDamagedBoltFiles",
	}, {
		name: "do not find a key with a flipped bit",
		file: "cluster/boltfile.go", old: "case !in.known(key):", new: "case false && !in.known(key):",
		pkg: "cluster", test: "TestDamagedBolt",
	}, {
		name: "be ready by the members that a snapshot knows",
		file: "cluster/operations.go", old: "if err := n.progress.wait(ctx, n.machine, point.index, 0); err != nil {\n\t\treturn fmt.Errorf(", new: "if err := error(nil); err != nil {\n\t\treturn fmt.Errorf(",
		pkg: "cluster", test: "TestReadyWhenEmptied",
	}, {
		name: "take damage for the end of the log",
		file: "cluster/segments.go", old: "after > 0 {", new: "after > 0 && false {",
		pkg: "cluster", test: "TestDamagedLog",
	}, {
		name: "leave it to the kernel when to send once more",
		file: "cluster/delivery_linux.go", old: "conn.(syscall.Conn); ok {", new: "conn.(syscall.Conn); ok && false {",
		pkg: "test/chaos", test: "TestHealedWire",
	}, {
		name: "lead on with a disk that stands still",
		file: "cluster/disks.go", old: "err = n.letGo(r, others, need, number, standing)", new: "_ = standing",
		pkg: "test/sim", test: "TestStandingDisk",
	}, {
		name: "let go although all disks stand still",
		file: "cluster/disks.go", old: "if err := n.storage.probe(); err != nil {", new: "if err := error(nil); err != nil {",
		pkg: "test/sim", test: "TestStandingDisk",
	}, {
		name: "keep to a leader that a disk which stands still hides",
		file: "cluster/disks.go", old: "if elsewhere := n.disks.elsewhere.Load(); elsewhere != nil {", new: "if elsewhere := n.disks.elsewhere.Load(); false {",
		pkg: "test/sim", test: "TestStandingDisk",
	}, {
		name: "lead on with a slow disk",
		file: "cluster/disks.go", old: "case n.disks.slow >= slowFor:", new: "case false:",
		pkg: "test/sim", test: "TestSlowDisk",
	}, {
		name: "hand over although other disks are as slow",
		file: "cluster/disks.go", old: "usual >= slowAtLeast && faster > need", new: "usual >= slowAtLeast",
		pkg: "test/sim", test: "TestSlowDisk",
	}, {
		name: "lead on with a full disk",
		file: "cluster/disks.go", old: "case full && room > need:", new: "case false:",
		pkg: "test/sim", test: "TestFullDisk",
	}, {
		name: "keep writes waiting that no majority has room for",
		file: "cluster/disks.go", old: "n.setCrammed(anyFull && room <= need)", new: "n.setCrammed(false)",
		pkg: "test/sim", test: "TestFullDisk",
	}, {
		name: "write where there is no room for the next segment",
		file: "cluster/walfile.go", old: "w.told(w.prepare())", new: "w.prepare()",
		pkg: "test/sim", test: "TestFullDisk",
	}, {
		name: "compare no digests",
		file: "cluster/quarantine.go", old: "if c.index <= q.checked ||", new: "if true ||",
		pkg: "cluster", test: "TestDivergedFollower",
	}, {
		name: "lead with a state that is not the majority's",
		file: "cluster/startraft.go", old: "if known.leader == n.identity.NodeID && n.quarantine.on() {", new: "if known.leader == n.identity.NodeID && n.quarantine.on() && false {",
		pkg: "cluster", test: "TestDivergedLeader",
	}, {
		name: "answer from a state that is not the majority's",
		file: "cluster/read.go", old: "n.machine.Index() >= point.index && !n.quarantine.on()", new: "n.machine.Index() >= point.index",
		pkg: "cluster", test: "TestDivergedFollower",
	}, {
		name: "mend a state, and forget the log behind it",
		file: "cluster/mend.go", old: "fresh.Apply(l.Index, l.Data)", new: "fresh.Apply(l.Index, fsm.AppendCheck(nil, 0))",
		pkg: "cluster", test: "TestMendReplays",
	}, {
		name: "one node applies an entry otherwise",
		file: "cluster/fsm.go", old: "results := n.machine.Apply(l.Index, l.Data)", new: "data := l.Data\n\tif n.identity.NodeID == \"n2\" && l.Index%500 == 0 {\n\t\tdata = fsm.AppendCheck(nil, 0)\n\t}\n\tresults := n.machine.Apply(l.Index, data)",
		pkg: "test/sim", test: "TestSim",
	}, {
		name: "forget a node that runs",
		file: "cluster/forget.go", old: "case n.peers.link(id) != nil:", new: "case false:",
		pkg: "cluster", test: "TestForget",
	}, {
		name: "take back a forgotten node with what it had",
		file: "cluster/bus.go", old: "case n.isForgotten(h):", new: "case false:",
		pkg: "cluster", test: "TestForget",
	},
}
