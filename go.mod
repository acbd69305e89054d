module holdfast

go 1.26

// raft v1.8.0 asks for go-metrics v0.7.0, which dropped the package "compat" that
// raft-boltdb v2.3.1 imports; v0.5.4 has what both need.
replace github.com/hashicorp/go-metrics => github.com/hashicorp/go-metrics v0.5.4
