package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"testing"
)

func TestArtIsSmallValidAndTheSameEveryTime(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range sections {
		for id := int64(1); id <= 200; id++ {
			svg := art(s.Key, id)
			if !bytes.Equal(svg, art(s.Key, id)) {
				t.Fatalf("%s %d: differs the second time", s.Key, id)
			}
			if len(svg) > 4<<10 {
				t.Errorf("%s %d: %d bytes", s.Key, id, len(svg))
			}
			seen[string(svg)] = true
			for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%s %d: %v", s.Key, id, err)
				}
			}
		}
	}
	if len(seen) != 200*len(sections) {
		t.Errorf("%d different pictures of %d", len(seen), 200*len(sections))
	}
}
