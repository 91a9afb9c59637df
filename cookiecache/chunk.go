package cookiecache

import "strconv"

// A value too long for one cookie is sealed as one and its base64 is cut: the
// first piece is the value of the cookie itself, the next ones are those of
// NAME.1, NAME.2 and so on, each after the generation. So one tag covers all
// pieces, and they cannot be mixed, exchanged or left out.
const (
	maxChunks = chunkMask + 1

	// genAt and genSize delimit the generation in the first piece: 48 bits that
	// are random in each message, from the nonce or the tag.
	genAt, genSize = 16, 8

	maxDuplicates = 3 // cookies of one name that are tried
	maxAttempts   = 8 // combinations of them that are tried
)

// chunkNames returns the names of the pieces.
func chunkNames(name string) (names [maxChunks]string) {
	names[0] = name
	for i := 1; i < maxChunks; i++ {
		names[i] = name + "." + strconv.Itoa(i)
	}
	return names
}

// capacity is how many characters of base64 fit into the first n cookies.
func capacity(names *[maxChunks]string, maxBytes, n int) int {
	room := 0
	for i := range n {
		room += maxBytes - len(names[i])
		if i > 0 {
			room -= genSize
		}
	}
	return room
}

// overheadOf is what n cookies need beside the base64: names and generations.
func overheadOf(names *[maxChunks]string, maxBytes, n int) int {
	return n*maxBytes - capacity(names, maxBytes, n)
}

// fit returns how many cookies wire characters of base64 need, at most limit.
func fit(names *[maxChunks]string, maxBytes, limit, wire int) (int, error) {
	for n := 1; n <= limit; n++ {
		if wire <= capacity(names, maxBytes, n) {
			return n, nil
		}
	}
	return 0, &TooLargeError{Need: wire + overheadOf(names, maxBytes, limit), Have: limit * maxBytes}
}

// cut returns the values of the n cookies for wire.
func cut(names *[maxChunks]string, maxBytes, n int, wire string) []string {
	pieces := make([]string, 0, n)
	room := min(len(wire), capacity(names, maxBytes, 1))
	pieces = append(pieces, wire[:room])
	for i := 1; i < n; i++ {
		rest := wire[room:]
		size := min(len(rest), maxBytes-len(names[i])-genSize)
		pieces = append(pieces, wire[genAt:genAt+genSize]+rest[:size])
		room += size
	}
	return pieces
}

// chunksOf reads from the first piece how many there are; 1 if it is no such
// thing, which opening will find out.
func chunksOf(first string) int {
	if len(first) < genAt+genSize {
		return 1
	}
	flags := sextets[0][first[0]] | sextets[1][first[1]]
	if flags&invalid != 0 {
		return 1
	}
	return int(flags>>16&chunkMask) + 1
}
