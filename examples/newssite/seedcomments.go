package main

import (
	"math"
	"strings"
	"time"
)

const (
	deepest      = 4  // answers to answers
	mostComments = 60 // of one article
)

// moods are what comments are written in; each has its lists of comments and
// of answers.
var moods = []string{"agree", "grumble", "joke", "ask", "memory", "report"}

// comments returns what readers say about an article, in the order of time. Most
// articles have a few comments, and a few have very many.
func (g *generator) comments(articleID int64, readers int) []seededComment {
	s, section := g.story(articleID)
	s.rnd = g.draw(drawComments, uint64(articleID))
	count := int(s.rnd.ExpFloat64() * 4)
	if s.rnd.IntN(25) == 0 {
		count *= 6
	}
	count = min(count, mostComments)
	var (
		all   []seededComment
		mood  []string
		depth []int
		at    = s.date
		said  = make(map[string]bool)
	)
	for i := range count {
		at = at.Add(time.Duration((1 + s.rnd.ExpFloat64()*float64(20+8*i)) * float64(time.Minute))).Truncate(time.Second)
		// Few readers write most of the comments.
		c := seededComment{Parent: -1, UserID: 1 + int(math.Pow(s.rnd.Float64(), 3)*float64(readers)), Posted: at}
		mood = append(mood, moods[s.rnd.IntN(len(moods))])
		depth = append(depth, 0)
		list := s.g.lists["comment."+mood[i]]
		if i > 0 && s.rnd.IntN(2) == 0 {
			parent := i - 1 - min(i-1, int(s.rnd.ExpFloat64()*3)) // a late one, most of the time
			if other := all[parent]; depth[parent] < deepest && other.UserID != c.UserID {
				c.Parent, depth[i] = parent, depth[parent]+1
				list = s.g.lists["answer."+mood[parent]]
				s.values["name"], _, _ = strings.Cut(g.reader(editorCount+other.UserID).Name, " ")
			}
		}
		// What somebody has said already is seldom said again.
		for try := 0; try < 5 && (c.Body == "" || said[c.Body]); try++ {
			c.Body = s.comment(list, section, c.Parent < 0)
		}
		said[c.Body] = true
		all = append(all, c)
	}
	return all
}

// comment writes one from a list; those that answer nobody may say more.
func (s *story) comment(list []entry, section string, first bool) string {
	text := s.pick(list)
	if first {
		switch s.rnd.IntN(6) {
		case 0:
			text = s.pick(s.g.lists["comment.opener"]) + " " + text
		case 1, 2:
			text += " " + s.pick(s.g.lists[section+".comment"])
		}
		if s.rnd.IntN(6) == 0 {
			text += " " + s.pick(s.g.lists["comment.closer"])
		}
	}
	return typeset(text)
}
