package trainer

import (
	"reflect"
	"testing"
)

func TestRight(t *testing.T) {
	r := &Right{Validation: Bits{10, []byte{0b1000_0001, 0b10}}, Test: Bits{8, []byte{0b1111_0000}}}
	if r.Validation.Share() != 0.3 || r.Test.Share() != 0.5 || (Bits{}).Share() != 0 {
		t.Errorf("shares %v and %v", r.Validation.Share(), r.Test.Share())
	}
	if !r.Validation.Has(0) || r.Validation.Has(1) || !r.Validation.Has(7) || r.Validation.Has(8) || !r.Validation.Has(9) {
		t.Error("the first example's bit is the lowest of the first byte")
	}
	got, err := DecodeRight(r.Encode())
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []*Right{
		{Validation: Bits{10, []byte{0, 0b100}}, Test: r.Test}, {Validation: Bits{17, []byte{0, 0}}, Test: r.Test},
	} {
		if _, err := DecodeRight(wrong.Encode()); err == nil {
			t.Errorf("%+v was read", wrong)
		}
	}
	if _, err := DecodeRight([]byte("no object")); err == nil {
		t.Error("what is no object was read")
	}
}

// Which examples are right is kept where the request asks for it, wherever the trainer says that
// it is; another answer than what was asked for would be in the ledger for ever.
func TestExamplesThatWereNotAskedFor(t *testing.T) {
	o := Outcome{Status: OK, Metrics: map[string]float64{"accuracy": 1}, Examples: "examples/churn/17"}
	for asked, want := range map[bool]string{true: o.Examples, false: ""} {
		r := Request{Objective: accuracy, Examples: asked}
		if got := r.Checked(o); got.Status != OK || got.Examples != want {
			t.Errorf("asked for %v: %+v", asked, got)
		}
	}
}
