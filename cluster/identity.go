package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
)

// identity is what a data directory says of the node it belongs to. It is written
// once more when the node becomes a member, and never changes after that.
type identity struct {
	NodeID    string `json:"node_id"`
	ClusterID string `json:"cluster_id,omitempty"` // "" until the node is a member
	LogStore  string `json:"log_store"`

	// Sum is a checksum of the rest; an older version wrote none. Without it a directory of a
	// member could pass for one that has never been in a cluster, of which nothing is kept.
	Sum string `json:"sum,omitempty"`
}

const identityFile = "node.json"

// loadIdentity reads the directory's identity, or makes one for a directory that is
// empty, and refuses a directory that is somebody else's.
func loadIdentity(c *Config) (identity, error) {
	path := filepath.Join(c.Dir, identityFile)
	data, err := readFile(c.Disk, path)
	if errors.Is(err, fs.ErrNotExist) {
		return newIdentity(c)
	}
	if err != nil {
		return identity{}, err
	}
	var id identity
	if err := json.Unmarshal(data, &id); err != nil || !validID.MatchString(id.NodeID) || id.Sum != "" && id.Sum != id.sum() {
		return identity{}, fmt.Errorf("%s is damaged: restore it from a copy, or empty the directory and let the node join anew", path)
	}
	switch {
	case c.ID != "" && c.ID != id.NodeID:
		return identity{}, fmt.Errorf("the data directory %s belongs to node %q, not to %q: start it with --id %s, or give --dir a directory of its own", c.Dir, id.NodeID, c.ID, id.NodeID)
	case c.LogStore != id.LogStore:
		return identity{}, fmt.Errorf("the log in %s is in the format %q: start with --log-store %s, or empty the directory and let the node join anew", c.Dir, id.LogStore, id.LogStore)
	}
	return id, nil
}

func newIdentity(c *Config) (identity, error) {
	// A log without its identity is not a new node's: taking it for one would let it
	// vote twice.
	if entries, err := c.Disk.List(filepath.Join(c.Dir, raftDir)); err == nil && len(entries) > 0 {
		return identity{}, fmt.Errorf("%s holds a log but no %s: restore the file from a copy, or empty the directory and let the node join anew", c.Dir, identityFile)
	}
	id := identity{NodeID: c.ID, LogStore: c.LogStore}
	if id.NodeID == "" {
		id.NodeID = "node-" + randomHex(4)
	}
	return id, id.save(c)
}

func (id identity) sum() string {
	return fmt.Sprintf("%08x", crc32.Checksum(fmt.Appendf(nil, "%q %q %q", id.NodeID, id.ClusterID, id.LogStore), castagnoli))
}

func (id identity) save(c *Config) error {
	id.Sum = id.sum()
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return writeFileSync(c.Disk, filepath.Join(c.Dir, identityFile), append(data, '\n'))
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
