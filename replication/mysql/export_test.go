package mysql

import "github.com/ashlar-go/ashlar/replication"

// What the fuzz tests look at.
var (
	AppendField  = appendField
	AppendQuoted = appendQuoted
	TextLiteral  = textLiteral
	IsDate       = isDate
)

// Canon is one value on its way from the driver.
func Canon(c replication.Column, v []byte) ([]byte, error) {
	k := canon{columns: []replication.Column{c}}
	return k.value(0, v)
}

// Labels reads the labels of an ENUM or SET.
func Labels(native string) []string {
	return typeOf(replication.Column{Native: native}).labels()
}

// Base is the type that Column.Native names.
func Base(native string) (base, charset, collation string) {
	t := typeOf(replication.Column{Native: native})
	return t.base, t.charset, t.collation
}
