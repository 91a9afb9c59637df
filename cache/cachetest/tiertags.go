package cachetest

import (
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

var tagged = cache.Want{Lease: 10 * time.Second, Tagged: true}

func taggedEntry(value string, v uint64, tags ...string) cache.Entry {
	e := entry(value, v)
	e.Tags = tags
	return e
}

func (s *suite) invalidateTags(tags ...string) {
	s.t.Helper()
	if err := s.tags.InvalidateTags(s.ctx, tags); err != nil {
		s.t.Fatalf("InvalidateTags: %v", err)
	}
}

func (s *suite) tagsVoid() {
	news, sport, other := s.key(), s.key()+" with\nodd bytes", ""
	keys := []string{s.key(), s.key(), s.key(), s.key()}
	for i, tags := range [][]string{{news}, {sport, news}, {sport}, nil} {
		s.fill(keys[i], s.lease(keys[i], tagged), taggedEntry("v", 0, tags...), true)
		s.holds(keys[i], "v")
	}
	if tags := s.get(keys[1], cache.Want{}).Entry.Tags; !slices.Equal(tags, []string{sport, news}) {
		s.t.Errorf("tags came back as %q", tags)
	}
	s.invalidateTags(news, other)
	for i, value := range []string{"", "", "v", "v"} {
		s.holds(keys[i], value)
	}
	s.fill(keys[0], s.lease(keys[0], tagged), taggedEntry("w", 0, news), true)
	s.holds(keys[0], "w")
	s.invalidateTags(sport)
	for i, value := range []string{"w", "", "", "v"} {
		s.holds(keys[i], value)
	}
	s.invalidateTags()
	s.holds(keys[0], "w")
}

func (s *suite) tagsInFlight() {
	for range 3 {
		key, tag := s.key(), s.key()
		l := s.lease(key, tagged)
		s.invalidateTags(tag)
		if _, err := s.Fill(s.ctx, key, l, taggedEntry("old", 0, tag)); err != nil {
			s.t.Fatal(err)
		}
		s.holds(key, "")
		s.fill(key, s.lease(key, tagged), taggedEntry("new", 0, tag), true)
		s.holds(key, "new")

		want := tagged
		want.Refresh = true
		l = s.lease(key, want)
		s.invalidateTags(tag)
		if _, err := s.Fill(s.ctx, key, l, taggedEntry("old", 0, tag)); err != nil {
			s.t.Fatal(err)
		}
		s.holds(key, "")
	}
}

func (s *suite) tagsUnprepared() {
	key, tag := s.key(), s.key()
	s.fill(key, s.lease(key, lease), taggedEntry("v", 0, tag), false)
	s.holds(key, "")
	s.fill(key, s.lease(key, tagged), taggedEntry("v", 0, tag), true)
	s.holds(key, "v")
}

func (s *suite) tagsPut() {
	key, tag := s.key(), s.key()
	s.put(key, taggedEntry("without a fence", 1, tag), false)
	s.holds(key, "")

	s.end(key, s.begin(key), taggedEntry("v", 2, tag), true)
	s.holds(key, "v")
	s.invalidateTags(tag)
	s.holds(key, "")

	fence := s.begin(key)
	s.invalidateTags(tag)
	if _, err := s.Put(s.ctx, key, fence, taggedEntry("old", 3, tag)); err != nil {
		s.t.Fatal(err)
	}
	s.holds(key, "")
}

func (s *suite) tagsLease() {
	key, tag := s.key(), s.key()
	s.fill(key, s.lease(key, tagged), taggedEntry("v", 3, tag), true)
	s.invalidateTags(tag)
	l := s.lease(key, tagged)
	if it := s.get(key, tagged); !it.Busy {
		s.t.Errorf("second Get of a void value = %+v, want busy", it)
	}
	s.fill(key, l, taggedEntry("w", 3, tag), true)
	s.holds(key, "w")
}

func (s *suite) purged() {
	key, open, fenced, tag := s.filled("v", 5), s.key(), s.key(), s.key()
	t := s.key()
	s.fill(t, s.lease(t, tagged), taggedEntry("v", 0, tag), true)
	l := s.lease(open, lease)
	before := s.lease(s.key(), tagged)
	fence := s.begin(fenced)
	if err := s.purge.Purge(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	for _, k := range []string{key, open, t} {
		s.holds(k, "")
	}
	s.fill(open, l, entry("old", 0), false)
	s.fill(open, before, entry("old", 0), false)
	s.holds(open, "")
	s.end(fenced, fence, entry("of unknown order", 0), false)
	s.holds(fenced, "")
	s.fill(t, s.lease(t, tagged), taggedEntry("w", 0, tag), true)
	s.holds(t, "w")
	s.fill(key, s.lease(key, lease), entry("w", 1), true)
	s.holds(key, "w")
}
