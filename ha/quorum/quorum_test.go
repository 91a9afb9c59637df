package quorum_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/quorum"
)

var six = []string{"bern", "boston", "new-york", "oslo", "paris", "rome"}

func ExampleParse() {
	r, err := quorum.Parse("any of (5 of 6, 2 of 6 with new-york)")
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Reached([]string{"boston", "new-york"}, six), r.Reached([]string{"boston", "paris", "rome"}, six))
	fmt.Println(r.Verify(six))
	// Output:
	// true false
	// <nil>
}

func ExampleRule_Verify() {
	err := quorum.Of(3, 6).Verify(six)
	fmt.Println(err)
	// Output:
	// quorum: 3 of 6: two sides could act at once: bern, boston, new-york and oslo, paris, rome
}

func TestBook_8_2_FiveOfSixOrTwoWithNewYork(t *testing.T) {
	r := quorum.Any(quorum.Of(5, 6), quorum.All(quorum.Of(2, 6), quorum.Has("new-york")))
	if err := r.Verify(six); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		here string
		want bool
	}{
		{"bern boston oslo paris rome", true},
		{"new-york rome", true},
		{"new-york", false},
		{"bern boston oslo paris", false},
		{"new-york mars", false},
	} {
		if got := r.Reached(strings.Fields(tt.here), six); got != tt.want {
			t.Errorf("%s: %t", tt.here, got)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		rule quorum.Rule
		want string
	}{
		{quorum.Rule{}, "majority"},
		{quorum.AtLeast(2), "at least 2"},
		{quorum.Of(5, 6), "5 of 6"},
		{quorum.Has("5"), `"5"`},
		{quorum.Has("of"), `"of"`},
		{quorum.Has("10.0.0.1:7"), `"10.0.0.1:7"`},
		{quorum.Votes(3, map[string]int{"b": 1, "a": 2}), "3 votes of (a=2, b=1)"},
		{quorum.Any(quorum.Of(5, 6), quorum.All(quorum.Of(2, 6), quorum.Has("new-york"))), "any of (5 of 6, 2 of 6 with new-york)"},
		{quorum.All(quorum.Has("a"), quorum.Has("b")), "all of (a, b)"},
	} {
		if got := tt.rule.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
		back, err := quorum.Parse(tt.want)
		if err != nil || back.String() != tt.want {
			t.Errorf("%q came back as %q, %v", tt.want, back, err)
		}
	}
	if r, err := quorum.Parse("( majority ) with a with b"); err != nil || r.String() != "all of (majority with a, b)" {
		t.Errorf("%q, %v", r, err)
	}
}

func TestParseSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "ends where a name should be",
		"5 of":                     "ends where a number from 1 should be",
		"0 of 6":                   "at 1:",
		"5 6":                      "at 3:",
		"any of 5 of 6":            "at 8:",
		"any of ()":                "at 9:",
		"majority majority":        "at 10:",
		"majority with":            "ends where a name should be",
		`"open`:                    "at 1: not a string",
		`""`:                       "a name is empty",
		"3 votes of (a=1, a=1)":    `"a" has votes twice`,
		"at last 3":                "at 4:",
		strings.Repeat("(", 10000): "nested too deeply",
	} {
		if _, err := quorum.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestFlagTakesARule(t *testing.T) {
	var r quorum.Rule
	f := flag.NewFlagSet("vipd", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.TextVar(&r, "quorum", quorum.Majority(), "rule")
	if err := f.Parse([]string{"-quorum", "2 of 3"}); err != nil || r.String() != "2 of 3" {
		t.Errorf("%q, %v", r, err)
	}
	if err := f.Parse([]string{"-quorum", "2 of"}); err == nil {
		t.Error("half a rule was taken")
	}
}

func TestVerifyRefusesWhatDoesNotSuit(t *testing.T) {
	for text, want := range map[string]string{
		"4 of 5":                                   "made for 5 members, and there are 6",
		"at least 7":                               "only 6 members",
		"atlantis":                                 `"atlantis" is not a member`,
		"9 votes of (bern=1)":                      "not even all 6",
		"majority with rom":                        `"rom" is not a member`,
		"any of (majority, 1 of 6)":                "two sides could act",
		"any of (majority, bern, oslo)":            "two sides could act",
		"2 votes of (bern=1, oslo=1)":              "",
		"2 votes of (bern=2, oslo=2)":              "two sides could act",
		"any of (majority, all of (bern, boston))": "two sides could act",
	} {
		r, err := quorum.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(six); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, r := range []quorum.Rule{quorum.Any(), quorum.All(), quorum.AtLeast(0), quorum.Votes(0, nil), quorum.Votes(1, map[string]int{"bern": -1, "oslo": 2})} {
		if err := r.Verify(six); err == nil {
			t.Errorf("%s was accepted", r)
		}
	}
	if err := quorum.Majority().Verify([]string{"a", "a"}); err == nil {
		t.Error("a member twice was accepted")
	}
	if err := quorum.Majority().Verify(nil); err == nil {
		t.Error("no members were accepted")
	}
}

// TestVerifyAgreesWithBruteForce looks at every pair of sets of members, for
// random rules of up to six terms.
func TestVerifyAgreesWithBruteForce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(19, 1))
	members := []string{"a", "b", "c", "d", "e"}
	var random func(terms int) quorum.Rule
	random = func(terms int) quorum.Rule {
		if terms > 1 {
			cut := 1 + rnd.IntN(terms-1)
			parts := []quorum.Rule{random(cut), random(terms - cut)}
			if rnd.IntN(2) == 0 {
				return quorum.Any(parts...)
			}
			return quorum.All(parts...)
		}
		switch rnd.IntN(4) {
		case 0:
			return quorum.Majority()
		case 1:
			return quorum.AtLeast(1 + rnd.IntN(5))
		case 2:
			return quorum.Has(members[rnd.IntN(5)])
		}
		v := make(map[string]int)
		sum := 0
		for _, m := range members {
			v[m] = rnd.IntN(4)
			sum += v[m]
		}
		return quorum.Votes(1+rnd.IntN(max(sum, 1)), v)
	}
	accepted, refused := 0, 0
	for range 3000 {
		r := random(1 + rnd.IntN(6))
		var quorums []int
		sets := make([][]string, 1<<len(members))
		for bits := range sets {
			for i, m := range members {
				if bits>>i&1 == 1 {
					sets[bits] = append(sets[bits], m)
				}
			}
			if r.Reached(sets[bits], members) {
				quorums = append(quorums, bits)
			}
		}
		split := slices.ContainsFunc(quorums, func(a int) bool {
			return slices.ContainsFunc(quorums, func(b int) bool { return a&b == 0 })
		})
		err := r.Verify(members)
		e, isSplit := errors.AsType[*quorum.SplitError](err)
		switch {
		case len(quorums) == 0:
			if err == nil || isSplit {
				t.Errorf("%s: %v, want that nobody meets it", r, err)
			}
		case split != isSplit:
			t.Errorf("%s: %v, brute force says split: %t", r, err, split)
		case isSplit:
			refused++
			all := slices.Sorted(slices.Values(slices.Concat(e.A, e.B)))
			if !r.Reached(e.A, members) || !r.Reached(e.B, members) || !slices.Equal(all, members) {
				t.Errorf("%s: %v is no counter-example", r, e)
			}
		case err != nil:
			t.Errorf("%s: %v", r, err)
		default:
			accepted++
		}
		back, err := quorum.Parse(r.String())
		if err != nil || back.String() != r.String() {
			t.Errorf("%q came back as %q, %v", r, back, err)
		}
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted, %d refused: the rules are too much alike", accepted, refused)
	}
}

func TestVerifyIsExactForTwentyMembers(t *testing.T) {
	members := make([]string, 20)
	weights := make(map[string]int)
	sum := 0
	for i := range members {
		members[i] = fmt.Sprintf("m%02d", i)
		weights[members[i]] = 1 << i
		sum += 1 << i
	}
	began := time.Now()
	if err := quorum.Votes(sum/2+1, weights).Verify(members); err != nil {
		t.Error(err)
	}
	t.Logf("20 members of 20 kinds: %v", time.Since(began))
	if _, split := errors.AsType[*quorum.SplitError](quorum.Votes(sum/2, weights).Verify(members)); !split {
		t.Error("half of the votes was accepted")
	}
	many := append(members, "m20")
	weights["m20"] = 1 << 20
	if err := quorum.Votes(1<<21, weights).Verify(many); err == nil || !strings.Contains(err.Error(), "too many to prove") {
		if !strings.Contains(fmt.Sprint(err), "not even all") {
			t.Error(err)
		}
	}
	if err := quorum.Votes(1<<20+1, weights).Verify(many); err == nil || !strings.Contains(err.Error(), "too many to prove") {
		t.Errorf("21 kinds: %v", err)
	}
	crowd := make([]string, 1000)
	for i := range crowd {
		crowd[i] = fmt.Sprint("n", i)
	}
	if err := quorum.Majority().Verify(crowd); err != nil {
		t.Errorf("1000 members of one kind: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"majority", "any of (5 of 6, 2 of 6 with new-york)", "3 votes of (a=2, b=1)", `all of ("of", (x))`, "at least 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := quorum.Parse(text)
		if err != nil {
			return
		}
		back, err := quorum.Parse(r.String())
		if err != nil || back.String() != r.String() {
			t.Fatalf("%q is %q, which came back as %q, %v", text, r, back, err)
		}
	})
}
