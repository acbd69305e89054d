package fsm

import "fmt"

// The types of values in an RDB file. Redis writes a type anew whenever it invents a
// more compact form, and reads all the older ones.
const (
	rdbString          = 0
	rdbList            = 1
	rdbSet             = 2
	rdbZset            = 3 // scores as text
	rdbHash            = 4
	rdbZset2           = 5 // scores as doubles
	rdbModule          = 6 // of Redis 4.0 before its release
	rdbModule2         = 7
	rdbHashZipmap      = 9
	rdbListZiplist     = 10
	rdbSetIntset       = 11
	rdbZsetZiplist     = 12
	rdbHashZiplist     = 13
	rdbListQuicklist   = 14 // of ziplists
	rdbStream          = 15
	rdbHashListpack    = 16
	rdbZsetListpack    = 17
	rdbListQuicklist2  = 18 // of listpacks
	rdbStream2         = 19 // more of a stream and its groups
	rdbSetListpack     = 20
	rdbStream3         = 21 // more of its consumers
	rdbHashMetadataPre = 22 // with deadlines of fields, of Redis 7.4 before its release
	rdbHashListpackPre = 23 // the same
	rdbHashMetadata    = 24 // with deadlines of fields
	rdbHashListpackEx  = 25 // the same
)

// rdbLoaders read the values of a type.
var rdbLoaders = map[byte]func(r *rdbReader) (value, error){
	rdbString:          loadString,
	rdbList:            loadList,
	rdbListZiplist:     loadListZiplist,
	rdbListQuicklist:   loadQuicklist,
	rdbListQuicklist2:  loadQuicklist2,
	rdbHash:            loadHash,
	rdbHashZipmap:      loadHashOf(unpackZipmap),
	rdbHashZiplist:     loadHashOf(unpackZiplist),
	rdbHashListpack:    loadHashOf(unpackListpack),
	rdbHashMetadataPre: loadHashMetadataPre,
	rdbHashListpackPre: loadHashListpackPre,
	rdbHashMetadata:    loadHashMetadata,
	rdbHashListpackEx:  loadHashListpackEx,
	rdbSet:             loadSet,
	rdbSetIntset:       loadSetOf(unpackIntset),
	rdbSetListpack:     loadSetOf(unpackListpack),
	rdbZset:            loadZset,
	rdbZset2:           loadZset2,
	rdbZsetZiplist:     loadZsetOf(unpackZiplist),
	rdbZsetListpack:    loadZsetOf(unpackListpack),
}

// rdbForeign are types that Redis writes and that have no place here: their names, and how
// to pass over a value. Where that is nil, only the module that wrote it knows where it ends.
var rdbForeign = map[byte]struct {
	name string
	skip func(r *rdbReader) error
}{
	rdbModule:  {"module value", nil},
	rdbModule2: {"module value", (*rdbReader).skipModule},
	rdbStream:  {"stream", skipStream(1)},
	rdbStream2: {"stream", skipStream(2)},
	rdbStream3: {"stream", skipStream(3)},
}

// value reads a value of a type that is held here.
func (r *rdbReader) value(kind byte) (value, error) {
	if load := rdbLoaders[kind]; load != nil {
		return load(r)
	}
	if foreign, known := rdbForeign[kind]; known {
		return nil, fmt.Errorf("it is a %s (type %d), which has no place here", foreign.name, kind)
	}
	return nil, fmt.Errorf("unknown type %d", kind)
}
