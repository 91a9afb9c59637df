package main

import (
	"slices"
	"time"
)

// A section is a part of the paper; articles and navigation refer to its Key.
type section struct{ Key, Title string }

var sections = []section{
	{"town", "Town"},
	{"harbor", "Harbor"},
	{"politics", "Politics"},
	{"business", "Business"},
	{"science", "Science"},
	{"culture", "Culture"},
	{"sports", "Sports"},
	{"weather", "Weather"},
}

// sectionTitle returns the title of the section named key, or false.
func sectionTitle(key string) (string, bool) {
	i := slices.IndexFunc(sections, func(s section) bool { return s.Key == key })
	if i < 0 {
		return "", false
	}
	return sections[i].Title, true
}

// article is a row of NewsArticles with its author's name from AdminUsers.
type article struct {
	ID        int64
	Section   string
	Title     string
	Lead      string // one or two sentences
	Body      string // paragraphs, divided by empty lines
	Author    string
	Published time.Time // UTC, whole seconds
	Updated   time.Time // later than Published once it was edited
	Live      bool      // published
	Version   uint64    // grows by one with each edit
}

// headline is what lists show of an article.
type headline struct {
	ID        int64
	Section   string
	Title     string
	Lead      string
	Author    string
	Published time.Time
	Comments  int // counted in the list of the most discussed only
}

// comment is a row of Comments with its author's name, in the order of display.
type comment struct {
	ID     int64
	Parent int64 // 0 for one that answers the article
	Depth  int   // 0 for those; answers are one deeper each, at most 4
	Author string
	Body   string
	Posted time.Time
}

// prefs is how a user wants the navigation.
type prefs struct {
	Sections []string // keys, in order
	Compact  bool     // titles only, in one line
}

// everybody's navigation, for visitors who are not logged in.
func defaultPrefs() prefs {
	var p prefs
	for _, s := range sections {
		p.Sections = append(p.Sections, s.Key)
	}
	return p
}

// user is a row of SiteUsers, or of AdminUsers when Admin is set.
type user struct {
	ID    int
	Name  string
	Admin bool
}
