package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// packListpack packs elements, given as encoded, the way Redis does.
func packListpack(elements ...string) string {
	var b []byte
	for _, element := range elements {
		b = append(append(b, element...), listpackBackLength(len(element))...)
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(b)+7))
	head = binary.LittleEndian.AppendUint16(head, uint16(len(elements)))
	return string(head) + string(b) + "\xff"
}

// packZiplist is packListpack for a ziplist.
func packZiplist(elements ...string) string {
	var b []byte
	before, last := 0, 10
	for _, element := range elements {
		last = 10 + len(b)
		if before < 0xfe {
			b = append(b, byte(before))
		} else {
			b = binary.LittleEndian.AppendUint32(append(b, 0xfe), uint32(before))
		}
		b = append(b, element...)
		before = 10 + len(b) - last
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(b)+11))
	head = binary.LittleEndian.AppendUint32(head, uint32(last))
	head = binary.LittleEndian.AppendUint16(head, uint16(len(elements)))
	return string(head) + string(b) + "\xff"
}

func rdbText(s string) string { return string(appendRDBString(nil, s)) }

// contentOf lists what a value holds.
func contentOf(v value) string {
	var parts []string
	switch v := v.(type) {
	case *str:
		return string(v.b)
	case *list:
		v.forward(0, func(_ int, element []byte) bool { parts = append(parts, string(element)); return true })
	case *set:
		v.each(func(m []byte) bool { parts = append(parts, string(m)); return true })
		slices.Sort(parts)
	case *zset:
		for e := range v.all() {
			parts = append(parts, fmt.Sprintf("%s=%v", e.member, e.score))
		}
	case *hash:
		for f := range v.all() {
			parts = append(parts, fmt.Sprintf("%s=%s@%d", f.name, f.value, f.deadline))
		}
	}
	return strings.Join(parts, " ")
}

// loadText reads a value of a type from bytes.
func loadText(kind byte, data string) string {
	r := &rdbReader{r: strings.NewReader(data), unpack: maxStringBytes}
	v, err := r.value(kind)
	if err != nil {
		return "error: " + err.Error()
	}
	if r.n != int64(len(data)) {
		return fmt.Sprintf("%d bytes of %d were read", r.n, len(data))
	}
	return contentOf(v)
}

// rdbForm is a value as Redis has written it, and what it holds.
type rdbForm struct {
	kind       byte
	data, want string
}

// rdbForms are of all types of collections that are one piece of memory, or several.
func rdbForms() []rdbForm {
	long := strings.Repeat("l", 70)
	longer := strings.Repeat("m", 5000)
	// Integers of all sizes, in a listpack and in a ziplist.
	const ints = "0 12 13 127 -1 -4096 4095 -32768 32767 -8388608 8388607 -2147483648 2147483647 -9223372036854775808 9223372036854775807"
	listpack := packListpack("\x00", "\x0c", "\x0d", "\x7f", "\xdf\xff", "\xd0\x00", "\xcf\xff", "\xf1\x00\x80", "\xf1\xff\x7f",
		"\xf2\x00\x00\x80", "\xf2\xff\xff\x7f", "\xf3\x00\x00\x00\x80", "\xf3\xff\xff\xff\x7f",
		"\xf4\x00\x00\x00\x00\x00\x00\x00\x80", "\xf4\xff\xff\xff\xff\xff\xff\xff\x7f")
	ziplist := packZiplist("\xf1", "\xfd", "\xfe\x0d", "\xfe\x7f", "\xfe\xff", "\xc0\x00\xf0", "\xc0\xff\x0f", "\xc0\x00\x80", "\xc0\xff\x7f",
		"\xf0\x00\x00\x80", "\xf0\xff\xff\x7f", "\xd0\x00\x00\x00\x80", "\xd0\xff\xff\xff\x7f",
		"\xe0\x00\x00\x00\x00\x00\x00\x00\x80", "\xe0\xff\xff\xff\xff\xff\xff\xff\x7f")
	texts := packListpack("\x80", "\x81a", "\xe0\x46"+long, "\xf0\x88\x13\x00\x00"+longer)
	oldTexts := packZiplist("\x00", "\x01a", "\x40\x46"+long, "\x80\x00\x00\x13\x88"+longer, "\x01z")

	return []rdbForm{
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\xff"), "2 5"},
		{rdbListZiplist, rdbText(ziplist), ints},
		{rdbListZiplist, rdbText(oldTexts), " a " + long + " " + longer + " z"},
		{rdbListQuicklist, "\x03" + rdbText(packZiplist("\x01a", "\x01b")) + rdbText(packZiplist()) + rdbText(packZiplist("\x01c")), "a b c"},
		{rdbListQuicklist2, "\x03\x02" + rdbText(listpack) + "\x01" + rdbText(longer) + "\x02" + rdbText(texts), ints + " " + longer + "  a " + long + " " + longer},
		{rdbHashZipmap, rdbText("\x02\x03foo\x03\x00bar\x05hello\x05\x02worldxx\xff"), "foo=bar@0 hello=world@0"},
		{rdbHashZipmap, rdbText("\xfe\xfe\x88\x13\x00\x00" + longer + "\x00\x00\xff"), longer + "=@0"},
		{rdbHashZiplist, rdbText(packZiplist("\x01a", "\xf2", "\x01b", "\x02xy")), "a=1@0 b=xy@0"},
		{rdbHashListpack, rdbText(packListpack("\x81a", "\x01", "\x81b", "\x82xy")), "a=1@0 b=xy@0"},
		{rdbHashListpackEx, "\x05\x00\x00\x00\x00\x00\x00\x00" + rdbText(packListpack("\x81a", "\x01", "\x05", "\x81b", "\x82xy", "\x00")), "a=1@5 b=xy@0"},
		{rdbHashListpackPre, rdbText(packListpack("\x81a", "\x01", "\x05", "\x81b", "\x82xy", "\x00")), "a=1@5 b=xy@0"},
		{rdbHashMetadata, "\x05\x00\x00\x00\x00\x00\x00\x00\x02\x01\x01a\x011\x00\x01b\x02xy", "a=1@5 b=xy@0"},
		{rdbHashMetadataPre, "\x02\x05\x01a\x011\x00\x01b\x02xy", "a=1@5 b=xy@0"},
		{rdbSetIntset, rdbText("\x02\x00\x00\x00\x03\x00\x00\x00\xff\xff\x00\x00\x05\x00"), "-1 0 5"},
		{rdbSetIntset, rdbText("\x04\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x80\x05\x00\x00\x00"), "-2147483648 5"},
		{rdbSetIntset, rdbText("\x08\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x80"), "-9223372036854775803"},
		{rdbSetListpack, rdbText(packListpack("\x81b", "\x81a", "\x05")), "5 a b"},
		{rdbZsetZiplist, rdbText(packZiplist("\x01b", "\xf2", "\x01a", "\x032.5", "\x01c", "\x03inf")), "b=1 a=2.5 c=+Inf"},
		{rdbZsetListpack, rdbText(packListpack("\x81b", "\x01", "\x81a", "\x832.5", "\x81c", "\x84-inf")), "c=-Inf b=1 a=2.5"},
		{rdbListQuicklist2, "\x01\x02" + rdbText(strings.Replace(listpack, "\x0f\x00", "\xff\xff", 1)), ints}, // of uncounted elements
	}
}

// Every form in which Redis has written collections is read.
func TestLoadForms(t *testing.T) {
	for _, test := range rdbForms() {
		if got := loadText(test.kind, test.data); got != test.want {
			t.Errorf("type %d, %.200q: got %.200q, want %.200q", test.kind, test.data, got, test.want)
		}
	}
}

// Two files of redis-server 7.0 hold the same in different forms: one with the settings that
// it has, and values of all types as small as it can, the other with the limits of compact
// forms at 0, no compression, and lists of nodes of one element.
func TestRestoreRedisFiles(t *testing.T) {
	contents := map[string][]string{}
	for _, name := range []string{"redis-packed.rdb", "redis-plain.rdb"} {
		file, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		err = readRDB(bytes.NewReader(file), rdbVisitor{key: func(k rdbKey) error {
			parts := strings.Fields(contentOf(k.value))
			if k.value.kind() == "hash" {
				slices.Sort(parts)
			}
			contents[name] = append(contents[name], fmt.Sprintf("%d %s %s %d %s", k.db, k.key, k.value.kind(), k.deadline, strings.Join(parts, " ")))
			return nil
		}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := New().Restore(bytes.NewReader(file)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		slices.Sort(contents[name])
	}
	packed, plain := contents["redis-packed.rdb"], contents["redis-plain.rdb"]
	if !slices.Equal(packed, plain) {
		t.Errorf("one holds %q, the other %q", packed, plain)
	}
	for _, want := range []string{
		"0 s string 4000000000001 text", "0 i2 string 0 -3000", "0 big string 0 12345678901234", "0 lzf string 0 " + strings.Repeat("session", 20),
		"0 l list 0 a 1 -1 300 -5000 70000 9000000 5000000000 " + strings.Repeat("y", 100) + " b",
		"0 plain list 0 a " + strings.Repeat("pq", 200) + " b", "0 mixed set 0 1 a b", "0 wide set 0 1 70000",
		"0 z zset 0 d=-Inf a=1 b=2.5 e=1e+300 c=+Inf", "0 h hash 0 f=v@0 n=12@0 t=x@0", "3 h2 hash 0 field=" + strings.Repeat("z", 80) + "@0",
		"3 z2 zset 4000000000000 " + strings.Repeat("m", 80) + "=3",
	} {
		if !slices.Contains(packed, want) {
			t.Errorf("%q is not in %q", want, packed)
		}
	}
}

// Each of these is damaged in another way, and the error tells how and where.
func TestLoadDamaged(t *testing.T) {
	for _, test := range []struct {
		kind       byte
		data, want string
	}{
		{rdbListZiplist, rdbText("\x0f\x00"), "ziplist of 2 bytes, damaged at 2: it ends within its header"},
		{rdbListZiplist, rdbText("\x0e\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\xff"), "damaged at 0: it says that it has 14 bytes"},
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0a\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\xff"), "damaged at 4: it says that the last element is at 10, and it is at 12"},
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0c\x00\x00\x00\x03\x00\x00\xf3\x02\xf6\xff"), "damaged at 8: it says that it has 3 elements, and has 2"},
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x03\xf6\xff"), "damaged at 12: the element before has 2 bytes, not 3"},
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\x90\xff"), "damaged at 12: an element of no known form, or one that is cut off"},
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\x3f\xff"), "damaged at 12: an element of no known form, or one that is cut off"},
		{rdbListZiplist, rdbText("\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\x00"), "damaged at 14: "},
		{rdbListZiplist, rdbText("\x10\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\xff\xff"), "damaged at 14: its end is elsewhere"},
		{rdbListZiplist, rdbText(packZiplist()), "a collection without elements"},
		{rdbListQuicklist, "\x01" + rdbText(packZiplist()), "a collection without elements"},
		{rdbListQuicklist, "\x00", "a collection without elements"},
		{rdbListQuicklist2, "\x01\x03\x01a", "node of unknown form 3"},
		{rdbHashListpack, rdbText("\x07"), "listpack of 1 bytes, damaged at 1: it ends within its header"},
		{rdbHashListpack, rdbText("\x0c\x00\x00\x00\x02\x00\x05\x01\x06\x01\xff"), "damaged at 0: it says that it has 12 bytes"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x04\x00\x05\x01\x06\x01\xff"), "damaged at 4: it says that it has 4 elements, and has 2"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x02\x00\x05\x02\x06\x01\xff"), "damaged at 7: another length stands behind an element"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x02\x00\x05\x01\xf8\x01\xff"), "damaged at 8: an element that begins with 0xf8"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x02\x00\x05\x01\x8f\x01\xff"), "damaged at 8: an element that begins with 0x8f"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x02\x00\x05\x01\xf0\xff\xff"), "damaged at 8: an element that begins with 0xf0"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x02\x00\x05\x01\xff\x01\xff"), "damaged at 8: its end is elsewhere"},
		{rdbHashListpack, rdbText("\x0b\x00\x00\x00\x02\x00\x05\x01\x06\x01\x07"), "damaged at 11: another length stands behind an element"},
		{rdbHashListpack, rdbText(packListpack("\x81a")), "1 elements, where 2 belong together"},
		{rdbHashListpack, rdbText(packListpack("\x81a", "\x01", "\x81a", "\x02")), `field "a" is there twice`},
		{rdbHashListpackPre, rdbText(packListpack("\x81a", "\x01", "\x81x")), `field "a" has the deadline "x"`},
		{rdbHashListpackPre, rdbText(packListpack("\x81a", "\x01", "\xdf\xff")), `field "a" has the deadline -1`},
		{rdbHashZipmap, rdbText(""), "zipmap of 0 bytes, damaged at 0: its end is elsewhere"},
		{rdbHashZipmap, rdbText("\x02\x03foo\x03\x00bar\xff"), "damaged at 0: it says that it has 2 fields, and has 1"},
		{rdbHashZipmap, rdbText("\x01\x03foo\x0f\x00bar\xff"), "damaged at 1: a field that is cut off"},
		{rdbHashZipmap, rdbText("\x01\x03foo\xff\x00bar\xff"), "damaged at 1: a field that is cut off"},
		{rdbHashZipmap, rdbText("\x01\x03foo\x03\x00bar"), "damaged at 10: its end is elsewhere"},
		{rdbSetIntset, rdbText("\x02\x00\x00"), "intset of 3 bytes, damaged at 3: it ends within its header"},
		{rdbSetIntset, rdbText("\x03\x00\x00\x00\x01\x00\x00\x00\x01\x02\x03"), "damaged at 0: integers of 3 bytes"},
		{rdbSetIntset, rdbText("\x02\x00\x00\x00\x00\x00\x00\x80"), "damaged at 4: 2147483648 integers of 2 bytes"},
		{rdbSetIntset, rdbText("\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x05\x00"), "damaged at 10: the integers do not ascend"},
		{rdbSetIntset, rdbText("\x02\x00\x00\x00\x00\x00\x00\x00"), "a collection without elements"},
		{rdbSetListpack, rdbText(packListpack("\x81a", "\x81a")), `member "a" is there twice`},
		{rdbSet, "\x02\x01a\x01a", `member "a" is there twice`},
		{rdbZsetListpack, rdbText(packListpack("\x81a", "\x83nan")), `member "a" has the score "nan"`},
		{rdbZsetListpack, rdbText(packListpack("\x81a", "\x01", "\x81a", "\x02")), "a member is there twice"},
		{rdbZsetZiplist, rdbText(packZiplist("\x01a", "\x01x")), `member "a" has the score "x"`},
		{rdbModule, "x", "it is a module value (type 6), which has no place here"},
		{26, "x", "unknown type 26"},
	} {
		if got := loadText(test.kind, test.data); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, test.want) {
			t.Errorf("type %d, %q: got %s, want %s", test.kind, test.data, got, test.want)
		}
	}
}

// What has no place here is passed over to its end.
func TestSkip(t *testing.T) {
	const id = "0123456789abcdef"
	const time = "01234567"
	node := "\x01" + rdbText(id) + rdbText("a listpack")
	stream := func(version int) string {
		numbers, read, active := "\x01\x02\x03", "", ""
		if version >= 2 {
			numbers, read = "\x01\x02\x03\x04\x05\x06\x07\x08", "\x01"
		}
		if version >= 3 {
			active = time
		}
		return node + numbers + "\x01" + rdbText("group") + "\x01\x02" + read + "\x01" + id + time + "\x05" +
			"\x01" + rdbText("consumer") + time + active + "\x01" + id
	}
	module := "\x81\x01\x02\x03\x04\x05\x06\x07\x08" + "\x01\x05" + "\x02\x40\x80" + "\x03abcd" + "\x04abcdefgh" + "\x05" + rdbText("text") + "\x00"
	for kind, data := range map[byte]string{rdbStream: stream(1), rdbStream2: stream(2), rdbStream3: stream(3), rdbModule2: module} {
		var keys []string
		file := "REDIS0003" + string(kind) + "\x01s" + data + "\x00\x01k\x01v\xff"
		err := readRDB(strings.NewReader(file), rdbVisitor{key: func(k rdbKey) error {
			keys = append(keys, string(k.key)+" "+k.foreign)
			return nil
		}})
		if want := []string{"s " + rdbForeign[kind].name, "k "}; err != nil || !slices.Equal(keys, want) {
			t.Errorf("type %d: got %q, %v, want %q", kind, keys, err, want)
		}
		err = New().Restore(strings.NewReader(file))
		if err == nil || !strings.Contains(err.Error(), `key "s": it is a `+rdbForeign[kind].name+", which has no place here") {
			t.Errorf("type %d: restored, %v", kind, err)
		}
		for n := range len(data) {
			if err := readRDB(strings.NewReader(file[:12+n]), rdbVisitor{key: func(rdbKey) error { return nil }}); err == nil {
				t.Errorf("type %d, cut off after %d bytes: no error", kind, n)
			}
		}
	}
}

// What only some servers write between the keys is read over.
func TestFileFields(t *testing.T) {
	module := "\xf7\x81\x01\x02\x03\x04\x05\x06\x07\x08" + "\x02\x01" + "\x05\x03abc\x00"
	file := "REDIS0012" + "\xfa\x09redis-ver\x057.4.0" + module + "\xf5\x05#!lua" + "\xfe\x03\xfb\x01\x01\xf4\x01\x01\x00" +
		"\xfd\x01\x00\x00\x00\xf8\x05\xf9\xff\x00\x01k\x01v" + "\x00\x01l\xc1\x00\x01" + "\xff\x00\x00\x00\x00\x00\x00\x00\x00"
	m := New()
	if err := m.Restore(strings.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	k, l := m.dbs[3].keys.get(hashOf([]byte("k")), []byte("k")), m.dbs[3].keys.get(hashOf([]byte("l")), []byte("l"))
	if k == nil || contentOf(k.value) != "v" || k.deadline != 1000 || l == nil || contentOf(l.value) != "256" || l.deadline != 0 {
		t.Errorf("got %+v and %+v", k, l)
	}
	for bad, want := range map[string]string{
		strings.Replace(file, "\xfe\x03", "\xfe\x10", 1):         `key "k": database 16: there are 16`,
		strings.Replace(file, "\xf5\x05", "\xf6\x05", 1):         "it holds functions in a form that Redis 7.0 had before its release",
		strings.Replace(file, "\x02\x01\x05", "\x03\x01\x05", 1): "a module's field of kind 3 instead of 2",
		strings.Replace(file, "abc\x00", "abc\x06", 1):           "a module's field of unknown kind 6",
		strings.Replace(file, "\x01l", "\x01k", 1):               `key "k": it is there twice`,
	} {
		if err := New().Restore(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Whoever carries keys elsewhere is shown those, too, that have no place here, and collections
// without elements; and can stop.
func TestReadDump(t *testing.T) {
	file := "REDIS0003\xfe\x40\x63" + "\xfc\x05\x00\x00\x00\x00\x00\x00\x00\x00\x01k\x01v" + "\x02\x01e\x00" + "\x07\x01m\x01\x00" + "\x02\x01s\x01\x01a" + "\xff"
	var got []string
	for k, err := range ReadDump(strings.NewReader(file)) {
		if err != nil {
			t.Fatal(err)
		}
		text, isText := k.Text()
		got = append(got, fmt.Sprintf("%d %s %d %q %v %v %q %v", k.DB, k.Key, k.Deadline, k.Type, k.Empty, k.Foreign(), text, isText))
		if k.Type == "set" {
			if v, err := readDump(k.Dump()); err != nil || contentOf(v) != "a" {
				t.Errorf("%v, %v", v, err)
			}
		}
	}
	want := []string{`99 k 5 "string" false false "v" true`, `99 e 0 "" true false "" false`, `99 m 0 "module value" false true "" false`, `99 s 0 "set" false false "" false`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for range ReadDump(strings.NewReader(file)) {
		break
	}
	last := error(nil)
	for _, last = range ReadDump(strings.NewReader(file[:len(file)-1])) {
	}
	if last == nil || !strings.Contains(last.Error(), "offset") {
		t.Errorf("of a file that is cut off: %v", last)
	}
}
