package lbsql

import (
	"context"
)

// Position is a place in the primary's history of changes: what has a higher
// one contains what has a lower one. Vendors count in ways of their own.
type Position uint64

// Token stands for all that was committed on the primary before it was taken.
// It is a number, so that it fits into a cookie or a header; seal it there,
// since whoever makes one up can send his own reads to the primary, as long as
// that has room for them. Zero asks for nothing.
type Token uint64

type (
	primaryKey struct{}
	afterKey   struct{}
)

// OnPrimary makes all queries with the context it returns go to the primary,
// like writes: PrimaryReads and PrimaryShare do not count them.
func OnPrimary(ctx context.Context) context.Context {
	return context.WithValue(ctx, primaryKey{}, true)
}

// After makes reads with the context it returns see at least all that t stands
// for: they go to replicas that have it, wait for one for Config.Wait, and go
// to the primary then, within its share. If ctx has a later token, that stays.
func After(ctx context.Context, t Token) context.Context {
	if t <= after(ctx) {
		return ctx
	}
	return context.WithValue(ctx, afterKey{}, t)
}

func onPrimary(ctx context.Context) bool { return ctx.Value(primaryKey{}) != nil }

func after(ctx context.Context) Token {
	t, _ := ctx.Value(afterKey{}).(Token)
	return t
}
