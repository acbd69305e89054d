package fsm

import (
	"math"
	"math/big"
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

// longDouble is how many bits of a number INCRBYFLOAT calculates with: Redis uses C's
// long double, which on x86 has 64. So 0.1 and 0.2 make 0.3.
const longDouble = 64

// maxDecimalExponent is where a long double ends. It also bounds what big.Float does.
const maxDecimalExponent = 4932

// parseFloat reads a number as C's strtold does when all of the text must be used.
func parseFloat(b []byte) (*big.Float, error) {
	s := string(b)
	if len(s) == 0 || len(s) > 5<<10 || strings.ContainsAny(s, "_bBoOpP ") && !strings.HasPrefix(strings.ToLower(strings.TrimLeft(s, "+-")), "0x") {
		return nil, ErrNotFloat
	}
	switch strings.ToLower(s) {
	case "inf", "+inf", "infinity", "+infinity":
		return new(big.Float).SetInf(false), nil
	case "-inf", "-infinity":
		return new(big.Float).SetInf(true), nil
	}
	if i := strings.LastIndexAny(s, "eE"); i >= 0 && !strings.ContainsAny(s, "xX") {
		exponent, err := strconv.Atoi(s[i+1:])
		if err != nil || exponent > 2*maxDecimalExponent || exponent < -2*maxDecimalExponent {
			return nil, ErrNotFloat
		}
	}
	f, _, err := new(big.Float).SetPrec(longDouble).SetMode(big.ToNearestEven).Parse(s, 0)
	if err != nil || strings.ContainsRune(s, '_') {
		if f, _, err = new(big.Float).SetPrec(longDouble).SetMode(big.ToNearestEven).Parse(s, 10); err != nil {
			return nil, ErrNotFloat
		}
	}
	if tooBig(f) {
		return nil, ErrNotFloat
	}
	return f, nil
}

func tooBig(f *big.Float) bool { return f.MantExp(nil) > 16384 }

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
