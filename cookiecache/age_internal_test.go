package cookiecache

import (
	"errors"
	"testing"
	"time"
)

func TestAgesAreJudgedToTheSecond(t *testing.T) {
	a, err := Ages{MaxIdle: time.Hour, MaxAge: 24 * time.Hour}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	const s = time.Second
	now := time.Unix(2_000_000_000, 0)
	for _, tt := range []struct {
		issued, renewed time.Duration // ago
		want            error
	}{
		{0, 0, nil},
		{time.Hour, time.Hour - s, nil},
		{time.Hour, time.Hour, nil},
		{time.Hour, time.Hour + s, ErrIdle},
		{24*time.Hour - s, 0, nil},
		{24 * time.Hour, 0, nil},
		{24*time.Hour + s, 0, ErrExpired},
		{24*time.Hour + s, 2 * time.Hour, ErrExpired},
		{-30 * s, -30 * s, nil},
		{-31 * s, 0, ErrFuture},
		{0, -31 * s, ErrFuture},
		{-time.Hour, -time.Hour, ErrFuture}, // this clock was set back by an hour
	} {
		if got := a.judge(now, now.Add(-tt.issued), now.Add(-tt.renewed)); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("issued %v ago, renewed %v ago: %v, want %v", tt.issued, tt.renewed, got, tt.want)
		}
	}
}

func TestRenewalIsDueAfterAFractionOfMaxIdle(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	const s = time.Second
	for _, tt := range []struct {
		ages   Ages
		idle   time.Duration
		oldKey bool
		want   bool
	}{
		{Ages{MaxIdle: time.Hour}, 6*time.Minute - s, false, false},
		{Ages{MaxIdle: time.Hour}, 6 * time.Minute, false, true},
		{Ages{MaxIdle: time.Hour, RenewAfter: s}, s, false, true},
		{Ages{MaxIdle: time.Hour}, 59 * s, true, false},
		{Ages{MaxIdle: time.Hour}, time.Minute, true, true},
		{Ages{MaxIdle: time.Hour, RenewAfter: -1}, 59 * time.Minute, true, false},
		{Ages{MaxIdle: -1}, 29 * 24 * time.Hour, false, false},
		{Ages{MaxIdle: -1, RenewAfter: time.Hour}, time.Hour, false, true},
	} {
		a, err := tt.ages.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		if got := a.due(now, now.Add(-tt.idle), tt.oldKey); got != tt.want {
			t.Errorf("%+v idle for %v, old key %v: due is %v", tt.ages, tt.idle, tt.oldKey, got)
		}
	}
}

func TestBrowserIsToldToKeepACookieNoLongerThanItIsGood(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Unix(2_000_000_000, 0)
	for _, tt := range []struct {
		ages Ages
		age  time.Duration
		want time.Duration
	}{
		{Ages{MaxIdle: day, MaxAge: 10 * day}, 0, day},
		{Ages{MaxIdle: day, MaxAge: 10 * day}, 9*day + day/2, day / 2},
		{Ages{MaxIdle: -1, MaxAge: 10 * day}, day, 9 * day},
		{Ages{MaxIdle: -1, MaxAge: 1000 * day}, day, 400 * day},
		{Ages{MaxIdle: 500 * day, MaxAge: 1000 * day}, 0, 400 * day},
		{Ages{MaxIdle: day, MaxAge: 10 * day}, 11 * day, 0},
	} {
		a, err := tt.ages.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		if got := a.keep(now, now.Add(-tt.age)); got != tt.want {
			t.Errorf("%+v, %v old: keep for %v, want %v", tt.ages, tt.age, got, tt.want)
		}
	}
}

func TestAgesThatMakeNoSenseAreRefused(t *testing.T) {
	for _, a := range []Ages{
		{MaxAge: -1},
		{MaxAge: time.Millisecond},
		{MaxIdle: time.Millisecond},
		{MaxIdle: time.Hour, RenewAfter: time.Hour},
	} {
		if _, err := a.withDefaults(); err == nil {
			t.Errorf("%+v was accepted", a)
		}
	}
}
