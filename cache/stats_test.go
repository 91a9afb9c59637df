package cache_test

import (
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/cache"
)

func TestAddLeavesNoCounterOut(t *testing.T) {
	var a, b cache.Stats
	va, vb := reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()
	for i := range va.NumField() {
		va.Field(i).SetInt(int64(i) + 1)
		vb.Field(i).SetInt(1000)
	}
	sum := reflect.ValueOf(a.Add(b))
	for i := range sum.NumField() {
		if got, want := sum.Field(i).Int(), int64(i)+1001; got != want {
			t.Errorf("%s = %d, want %d", sum.Type().Field(i).Name, got, want)
		}
	}
}
