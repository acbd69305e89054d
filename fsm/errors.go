package fsm

import (
	"fmt"
	"strings"
)

// Error is an answer that tells a client what was wrong, under the code that Redis
// uses for it: ERR, WRONGTYPE, NOAUTH, ...
type Error struct{ code, text string }

// NewError returns the error that reaches clients as "-code text".
func NewError(code, text string) *Error { return &Error{code, text} }

func (e *Error) Code() string  { return e.code }
func (e *Error) Error() string { return e.code + " " + e.text }

// Errors whose texts clients match on, as Redis 7 spells them.
var (
	ErrSyntax         = NewError("ERR", "syntax error")
	ErrWrongType      = NewError("WRONGTYPE", "Operation against a key holding the wrong kind of value")
	ErrNotInteger     = NewError("ERR", "value is not an integer or out of range")
	ErrNotFloat       = NewError("ERR", "value is not a valid float")
	ErrNoSuchKey      = NewError("ERR", "no such key")
	ErrDBIndex        = NewError("ERR", "DB index is out of range")
	ErrInvalidDBIndex = NewError("ERR", "invalid DB index")
	ErrOverflow       = NewError("ERR", "increment or decrement would overflow")
	ErrNaN            = NewError("ERR", "increment would produce NaN or Infinity")
	ErrTooLong        = NewError("ERR", "string exceeds maximum allowed size (proto-max-bulk-len)")
	ErrOffset         = NewError("ERR", "offset is out of range")
	ErrNegative       = NewError("ERR", "value is out of range, must be positive")
)

// ErrArity answers a command with too few or too many arguments; name is the lower
// case name, "config|get" for a subcommand.
func ErrArity(name string) error {
	return NewError("ERR", fmt.Sprintf("wrong number of arguments for '%s' command", strings.ToLower(name)))
}

// ErrUnknownCommand answers a command that is in no table, quoting its beginning as
// Redis does.
func ErrUnknownCommand(args [][]byte) error {
	var quoted strings.Builder
	for _, arg := range args[1:] {
		if quoted.Len() >= 128 {
			break
		}
		fmt.Fprintf(&quoted, "'%.*s' ", 128-quoted.Len(), arg)
	}
	return NewError("ERR", fmt.Sprintf("unknown command '%.128s', with args beginning with: %s", args[0], quoted.String()))
}

// ErrUnknownSubcommand answers a container command, such as OBJECT, with a
// subcommand that it does not have.
func ErrUnknownSubcommand(container string, sub []byte) error {
	return NewError("ERR", fmt.Sprintf("unknown subcommand '%.128s'. Try %s HELP.", sub, container))
}

// ErrInvalidExpire answers a time to live that is not positive or overflows; name is
// the lower case name of the command.
func ErrInvalidExpire(name string) error {
	return NewError("ERR", fmt.Sprintf("invalid expire time in '%s' command", strings.ToLower(name)))
}
