package replication

import (
	"encoding/hex"
	"math/big"
)

// tableDigest is a digest of rows in any order, so that a table can be told to
// be unchanged: the sum of the digests of its rows, and their number.
type tableDigest struct {
	by   digester
	rows int64
	sum  big.Int
	one  big.Int
}

func (d *tableDigest) add(columns []Column, row [][]byte) {
	sum := d.by.sum(columns, row)
	d.rows++
	d.sum.Add(&d.sum, d.one.SetBytes(sum[:]))
}

// text is equal for equal tables. It does not depend on the vendor.
func (d *tableDigest) text() string { return hex.EncodeToString(d.sum.Bytes()) }
