package fsm

// Millis is a moment in Unix milliseconds, or a span in milliseconds.
type Millis int64

// Call is one command as a client sent it, in the database it is for.
type Call struct {
	DB   uint8
	Args [][]byte
}

// Request is one command, or all of a MULTI: the unit that is atomic, and that
// counts once however often it is sent.
type Request struct {
	Calls []Call
	Multi bool // the reply is an array with one element per call
}
