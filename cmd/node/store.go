package main

import (
	"holdfast/cluster"
	"holdfast/fsm"
	"holdfast/resp"
)

// store is a cluster.Node seen as a resp.Store.
type store struct{ *cluster.Node }

func (s store) Status() resp.Status {
	c := s.Node.Status()
	status := resp.Status{
		NodeID: c.NodeID, ClusterID: c.ClusterID, Role: c.Role, LeaderID: c.LeaderID, Term: c.Term,
		CommitIndex: c.CommitIndex, AppliedIndex: c.AppliedIndex, SnapshotIndex: c.SnapshotIndex, Voters: c.Voters,
		LastSave: c.LastSave, Saving: c.Saving, LastSaveErr: c.LastSaveErr, PendingWrites: c.PendingWrites, DiskErr: c.DiskErr,
		SaveBegan: c.SaveBegan, SaveTook: c.SaveTook, Saves: c.Saves, Counts: s.Counts(),
		Checked: c.Checked, Agreed: c.Agreed, Diverged: c.Diverged, Disputed: c.Disputed,
	}
	for _, m := range c.Members {
		status.Members = append(status.Members, resp.Member(m))
	}
	for db := range fsm.Databases {
		if keys, expires := s.Keys(db); keys > 0 {
			status.Keys = append(status.Keys, resp.KeyCount{DB: db, Keys: keys, Expires: expires, MeanTTL: s.MeanTTL(db)})
		}
	}
	return status
}
