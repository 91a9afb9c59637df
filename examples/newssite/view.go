package main

import "time"

// What the templates get. Every page is a page with one of the bodies below
// in Body, and is rendered by the template named in Name.

type page struct {
	Name    string // front, article, section, login, prefs, admin, edit, message
	Title   string
	User    *user // nil for a visitor who is not logged in
	Nav     []navItem
	Compact bool
	CSS     string // URL of the style sheet
	Path    string // of this page, for coming back after a log-in
	Body    any
	Served  served
}

// navItem is one entry of the left navigation.
type navItem struct {
	Title, Href, Key string
	Current          bool
}

// served is the small footer: how this page was made. It is the only part of a
// page that differs with and without caches.
type served struct {
	User    string // or "a visitor"
	Queries int64
	Parts   []part
	Took    time.Duration
	Node    int
	Caches  bool
}

// part says where one part of a page came from.
type part struct {
	Name string // navigation, article, comments, headlines, discussed
	From string // cookie, local cache, memcached, database, defaults
	Age  time.Duration
}

type frontBody struct {
	Top       headline
	More      []headline // beside the top story
	Sections  []sectionBlock
	Discussed []headline
}

type sectionBlock struct {
	section
	Items []headline
}

type sectionBody struct {
	section
	Items      []headline
	Page       int    // from 1
	Prev, Next string // URLs; empty at the ends
}

type articleBody struct {
	article
	SectionTitle string
	Paragraphs   []string
	Comments     []comment
	ReplyTo      *comment // the comment that the form answers, when asked for
	MayComment   bool     // logged in
}

type loginBody struct {
	Users []user // a few to choose from
	Next  string // path to go to afterwards
	Error string
}

type prefsBody struct {
	Choices []prefsChoice
	Compact bool
	Saved   bool
	Name    string
}

type prefsChoice struct {
	section
	Shown    bool
	Position int // from 1; the order in the navigation
}

type adminBody struct {
	Articles   []adminRow // newest first
	Page       int
	Prev, Next string
}

type adminRow struct {
	ID        int64
	Title     string
	Section   string
	Author    string
	Published time.Time
	Live      bool
}

// editBody is the form of a new article (ID 0) or of one to change.
type editBody struct {
	article
	Sections []section
	Error    string
}

// messageBody is for errors and other short words.
type messageBody struct {
	Heading, Text string
}
