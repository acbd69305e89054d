package fsm

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// parseInt reads a number as Redis does: decimal, nothing around it, no plus sign, no
// leading zeros.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// intArg is parseInt for an argument.
func intArg(b []byte) (int64, error) {
	if n, ok := parseInt(b); ok {
		return n, nil
	}
	return 0, ErrNotInteger
}

// int32Arg is intArg where Redis wants an int of C.
func int32Arg(b []byte) (int64, error) {
	n, err := intArg(b)
	if err == nil && int64(int32(n)) != n {
		err = NewError("ERR", "value is out of range, value must between -2147483648 and 2147483647")
	}
	return n, err
}

// longDouble is how many bits of a number INCRBYFLOAT calculates with: Redis uses C's
// long double, which on x86 has 64. So 0.1 and 0.2 make 0.3.
const longDouble = 64

// floatSyntax is what C's strtold reads, but for infinity and nan, which Redis refuses.
// The groups are the mantissa and the exponent, decimal or of two.
var floatSyntax = regexp.MustCompile(`^[+-]?(?:` +
	`(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?|` +
	`0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP]([+-]?\d+))?)$`)

const (
	maxFloatBytes    = 5<<10 - 1 // longer ones are not read
	maxFloatExponent = 100_000   // beyond it, no mantissa of that length brings a number back
)

// parseFloat reads a number as C's strtold does when all of the text must be used.
func parseFloat(b []byte) (*big.Float, error) {
	if len(b) > maxFloatBytes {
		return nil, ErrNotFloat
	}
	switch strings.ToLower(string(b)) {
	case "inf", "+inf", "infinity", "+infinity":
		return new(big.Float).SetInf(false), nil
	case "-inf", "-infinity":
		return new(big.Float).SetInf(true), nil
	}
	parts := floatSyntax.FindSubmatch(b)
	if parts == nil {
		return nil, ErrNotFloat
	}
	f := new(big.Float).SetPrec(longDouble)
	mantissa, exponent := append(parts[1], parts[3]...), append(parts[2], parts[4]...)
	if len(bytes.Trim(mantissa, "0.")) == 0 {
		return f, nil
	}
	if n, err := strconv.Atoi(string(exponent)); len(exponent) > 0 && (err != nil || n > maxFloatExponent || n < -maxFloatExponent) {
		return nil, ErrNotFloat
	}
	base := 10
	if parts[3] != nil {
		base = 0 // as the prefix says
	}
	if _, _, err := f.Parse(string(b), base); err != nil || tooBig(f) || tooSmall(f) {
		return nil, ErrNotFloat
	}
	return f, nil
}

// tooBig reports whether a number is beyond those of longDouble.
func tooBig(f *big.Float) bool { return f.IsInf() || f.MantExp(nil) > 16384 }

// tooSmall reports whether a number that is not 0 becomes 0 as a longDouble: it is not
// above half of the least one, 1<<-16445.
func tooSmall(f *big.Float) bool {
	half := new(big.Float).SetMantExp(big.NewFloat(1), -16446)
	return new(big.Float).Abs(f).Cmp(half) <= 0
}

// formatLongDouble writes a number with at most 17 digits after the point, and none
// that are zeros at the end.
func formatLongDouble(f *big.Float) string {
	s := f.Text('f', 17)
	if strings.ContainsRune(s, '.') {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// parseDouble reads a number as C's strtod does when all of the text must be used and
// nothing precedes it. What is too large or too small for a float64 is no number, and
// neither is NaN.
func parseDouble(b []byte) (float64, bool) {
	f, ok := strtod(string(b))
	if !ok || math.IsInf(f, 0) && !strings.ContainsAny(string(b), "nN") {
		return 0, false
	}
	if f == 0 && strings.ContainsAny(strings.ToLower(mantissa(string(b))), "123456789abcdf") {
		return 0, false
	}
	return f, true
}

// mantissa cuts the exponent off a number.
func mantissa(s string) string {
	marks := "eE"
	if isHex(s) {
		marks = "pP"
	}
	if i := strings.IndexAny(s, marks); i >= 0 {
		s = s[:i]
	}
	return s
}

func isHex(s string) bool {
	s = strings.ToLower(strings.TrimLeft(s, "+-"))
	return strings.HasPrefix(s, "0x")
}

// strtod reads a number as C does, false if something is left of s or if it is NaN. What
// is too large is infinite, what is too small is 0.
func strtod(s string) (float64, bool) {
	if strings.ContainsRune(s, '_') {
		return 0, false // only in Go
	}
	if isHex(s) && !strings.ContainsAny(s, "pP") {
		s += "p0" // optional only in C
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return f, !math.IsNaN(f)
}

// doubleArg is parseDouble for an argument.
func doubleArg(b []byte) (float64, error) {
	if f, ok := parseDouble(b); ok {
		return f, nil
	}
	return 0, ErrNotFloat
}

// addInts adds, false where that overflows.
func addInts(a, b int64) (int64, bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, false
	}
	return a + b, true
}

// deadlineArg turns an expiry argument into a deadline: a count of unit milliseconds
// from base (0 for absolute times). name is the command's, for the error.
func deadlineArg(n int64, unit, base Millis, name string) (Millis, error) {
	if n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
		return 0, ErrInvalidExpire(name)
	}
	deadline, ok := addInts(n*int64(unit), int64(base))
	if !ok {
		return 0, ErrInvalidExpire(name)
	}
	return Millis(deadline), nil
}

// positiveDeadlineArg is deadlineArg for commands that refuse what is not positive.
func positiveDeadlineArg(arg []byte, unit, base Millis, name string) (Millis, error) {
	n, err := intArg(arg)
	if err != nil {
		return 0, err
	}
	if n <= 0 {
		return 0, ErrInvalidExpire(name)
	}
	return deadlineArg(n, unit, base, name)
}

// is reports whether an argument is a keyword, in any case.
func is(arg []byte, keyword string) bool {
	return len(arg) == len(keyword) && strings.EqualFold(string(arg), keyword)
}
