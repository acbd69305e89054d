package talk

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Server is who a script talks to.
type Server interface {
	// Begin is the Unix time in milliseconds at which the conversation begins.
	Begin() int64

	// Until returns when so many milliseconds have passed since then, or more.
	Until(at int64)

	// Do runs a command.
	Do(args []string) (Value, error)

	// Version is that of the protocol, 0 for the machine's own form of replies.
	Version() int
}

// Hold holds the conversation and returns the replies, whatever they are.
func (s *Script) Hold(server Server) (replies []Value, err error) {
	for _, step := range s.Steps {
		server.Until(step.At)
		args := make([]string, len(step.Args))
		for i, arg := range step.Args {
			args[i] = expand(arg, server.Begin())
		}
		reply, err := server.Do(args)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %.200q: %w", s.Name, step.Line, args, err)
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// Run holds the conversation and fails the test where a reply is not what the script
// expects.
func (s *Script) Run(t testing.TB, server Server) {
	t.Helper()
	replies, err := s.Hold(server)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range s.Steps {
		switch ok, err := step.expects(replies[i], server); {
		case err != nil:
			t.Errorf("%s:%d: %v", s.Name, step.Line, err)
		case !ok:
			t.Errorf("%s:%d: %.200q\n got %.1000v\nwant %.1000s", s.Name, step.Line, step.Args, replies[i], step.want)
		}
	}
}

func (step *Step) expects(reply Value, server Server) (bool, error) {
	want, err := parsePattern(expand(step.want, server.Begin()))
	if err != nil {
		return false, fmt.Errorf("in the expected reply: %w", err)
	}
	return want.match(reply, server.Version()), nil
}

// Rewrite writes into the script's file what Redis has answered, in RESP2 and in RESP3,
// wherever it does not expect that already. Whoever commits the difference has read it:
// a reply that depends on chance or time needs a pattern.
func (s *Script) Rewrite(resp2, resp3 Server, replies2, replies3 []Value) error {
	var lines []string
	from := 0
	for i, step := range s.Steps {
		ok2, err2 := step.expects(replies2[i], resp2)
		ok3, err3 := step.expects(replies3[i], resp3)
		if ok2 && ok3 && err2 == nil && err3 == nil {
			continue
		}
		lines = append(lines, s.lines[from:step.Line]...)
		lines = append(lines, replyLines(strings.ToUpper(step.Args[0]), merge(replies2[i], replies3[i]))...)
		from = step.end
	}
	lines = append(lines, s.lines[from:]...)
	return os.WriteFile(s.Name, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// merge is a reply of RESP3 with the null of RESP2, which has two.
func merge(two, three Value) Value {
	if three.Kind == '_' {
		return two
	}
	if pairs := flat(three); pairs != nil && len(two.Items) == len(pairs) && two.Items[0].Kind != '*' {
		return Value{Kind: '^', Items: pairs}
	}
	if two.Kind == '*' && len(two.Items) == len(three.Items) {
		for i := range three.Items {
			three.Items[i] = merge(two.Items[i], three.Items[i])
		}
	}
	return three
}

// flat returns what is in an array of pairs, nil if that is not what it is.
func flat(v Value) (items []Value) {
	for _, pair := range v.Items {
		if pair.Kind != '*' || len(pair.Items) != 2 {
			return nil
		}
		items = append(items, pair.Items...)
	}
	return items
}

// noOrder are commands whose replies have no order. Those of scans have it in the list
// behind the cursor.
var noOrder = map[string]bool{
	"HGETALL": true, "HKEYS": true, "HVALS": true, "KEYS": true,
	"SDIFF": true, "SINTER": true, "SMEMBERS": true, "SUNION": true,
}

// replyLines writes the reply to a command, in several lines if it is long.
func replyLines(command string, v Value) (lines []string) {
	if v.Kind == '-' && plainError.MatchString(v.Text) {
		return []string{"> -" + v.Text}
	}
	before, list, after := "", v, ""
	switch {
	case strings.HasSuffix(command, "SCAN") && len(v.Items) == 2 && len(v.Items[1].Items) > 1:
		before, list, after = "["+v.Items[0].String()+" unordered ", v.Items[1], "]"
	case noOrder[command] && len(v.Items) > 1:
		before = "unordered "
	}
	text := list.String()
	line := "> " + before
	if len(list.Items) == 0 {
		return []string{line + text + after}
	}
	open := strings.IndexAny(text, "[{") + 1 // behind "pairs", too
	line += text[:open]
	for i, item := range list.Items {
		word := item.String()
		if i > 0 {
			word = " " + word
		}
		if len(line)+len(word) > 110 {
			lines = append(lines, line)
			line = ">"
		}
		line += word
	}
	return append(lines, line+text[len(text)-1:]+after)
}
