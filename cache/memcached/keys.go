package memcached

import (
	"crypto/sha256"
	"encoding/base64"
)

// Keys on the wire are the caller's keys where memcached can take them. All
// others, and those that begin with a tilde, are hashed, so that the tilde
// belongs to this package: no caller's key can meet one of ours.
const (
	maxKey       = 250
	hashedPrefix = "~h~" // a key that memcached could not take
	gutterPrefix = "~g~" // a copy on another server while the key's own is ejected
	markPrefix   = "~t~" // the tag clock at a tag's last invalidation
	clockKey     = "~c~" // the tag clock of a server
)

// wireKey returns the key under which memcached holds the caller's key.
func wireKey(key string) string {
	if odd(key) {
		return hashedKey(hashedPrefix, key)
	}
	return key
}

// odd reports whether key cannot be used as it is.
func odd(key string) bool {
	if len(key) == 0 || len(key) > maxKey || key[0] == '~' {
		return true
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return true
		}
	}
	return false
}

// hashedKey keeps all 256 bits, so that nobody can make two keys meet.
func hashedKey(prefix, key string) string {
	sum := sha256.Sum256([]byte(key))
	b := make([]byte, 0, 64)
	b = append(b, prefix...)
	return string(base64.RawURLEncoding.AppendEncode(b, sum[:]))
}

func gutterKey(key string) string { return hashedKey(gutterPrefix, key) }
func markKey(tag string) string   { return hashedKey(markPrefix, tag) }
