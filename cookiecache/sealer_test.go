package cookiecache_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

func TestSealerAppends(t *testing.T) {
	for _, aead := range aeads {
		s := must(cookiecache.NewSealer("x", ringOf(cookiecache.Key{ID: 1, Secret: secret(1), AEAD: aead}), cookiecache.Ages{}))
		at := cookiecache.Binding{Host: "h", Bind: []byte("u")}
		for _, size := range []int{0, 1, 2, 3, 500, 100_000} {
			value := []byte(strings.Repeat("v", size))
			wire, err := s.AppendSeal([]byte("kept "), value, at, cookiecache.Meta{})
			if err != nil || !strings.HasPrefix(string(wire), "kept ") {
				t.Fatalf("AppendSeal = %.20q, %v", wire, err)
			}
			got, m, err := s.AppendOpen([]byte("also kept "), string(wire[5:]), at)
			if err != nil || string(got) != "also kept "+string(value) {
				t.Fatalf("%v, %d bytes: AppendOpen = %.20q, %v", aead, size, got, err)
			}
			if m.KeyID != 1 || m.Chunks != 1 || m.Due || time.Since(m.Issued) > 2*time.Second {
				t.Errorf("Meta = %+v", m)
			}
			if got, _, err := s.AppendOpen([]byte("kept"), string(wire[5:len(wire)-1]), at); !errors.Is(err, cookiecache.ErrTampered) || string(got) != "kept" {
				t.Errorf("cut: %q, %v", got, err)
			}
		}
	}
}

func TestSealerJudgesAgesAndRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := must(cookiecache.NewSealer("x", oneKey(), cookiecache.Ages{MaxIdle: time.Hour, MaxAge: 2 * time.Hour}))
		at := cookiecache.Binding{}
		wire := string(must(s.AppendSeal(nil, []byte("v"), at, cookiecache.Meta{Epoch: 9})))
		time.Sleep(time.Hour)
		_, m, err := s.AppendOpen(nil, wire, at)
		if err != nil || !m.Due || m.Epoch != 9 {
			t.Fatalf("%+v, %v", m, err)
		}
		renewed := string(must(s.AppendSeal(nil, []byte("v"), at, m)))
		time.Sleep(time.Second)
		if _, _, err := s.AppendOpen(nil, wire, at); !errors.Is(err, cookiecache.ErrIdle) {
			t.Errorf("the old one: %v", err)
		}
		_, m2, err := s.AppendOpen(nil, renewed, at)
		if err != nil || !m2.Issued.Equal(m.Issued) || m2.Renewed.Sub(m.Renewed) != time.Hour || m2.Epoch != 9 || m2.Due {
			t.Errorf("renewed: %+v from %+v, %v", m2, m, err)
		}
		time.Sleep(time.Hour - time.Second)
		if _, _, err := s.AppendOpen(nil, renewed, at); err != nil {
			t.Errorf("at MaxAge: %v", err)
		}
		time.Sleep(time.Second)
		if _, _, err := s.AppendOpen(nil, renewed, at); !errors.Is(err, cookiecache.ErrExpired) {
			t.Errorf("after MaxAge: %v", err)
		}
	})
}

func TestSealerRefusesWhatMakesNoSense(t *testing.T) {
	for what, err := range map[string]error{
		"no name":   second(cookiecache.NewSealer("", oneKey(), cookiecache.Ages{})),
		"long name": second(cookiecache.NewSealer(strings.Repeat("x", 136), oneKey(), cookiecache.Ages{})),
		"zero byte": second(cookiecache.NewSealer("a\x00b", oneKey(), cookiecache.Ages{})),
		"no keys":   second(cookiecache.NewSealer("x", nil, cookiecache.Ages{})),
		"no key":    second(cookiecache.NewSealer("x", new(cookiecache.Keyring), cookiecache.Ages{})),
		"ages":      second(cookiecache.NewSealer("x", oneKey(), cookiecache.Ages{MaxAge: -1})),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func second[T any](_ T, err error) error { return err }
