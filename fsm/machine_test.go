package fsm

import "testing"

func TestCRC(t *testing.T) {
	if got := updateCRC(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("got %x", got)
	}
}
