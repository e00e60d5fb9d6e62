package data

import (
	"fmt"
	"testing"
)

// Of many classes a card shows the largest and the smallest.
func TestShown(t *testing.T) {
	var c Card
	for i := range 30 {
		c.Classes = append(c.Classes, Class{Label: fmt.Sprint(i), Train: 1 + (7*i)%30})
	}
	if got := c.Shown(); len(got) != 30 || got[3].Label != "3" || got[29].Others != 0 {
		t.Errorf("%+v", got)
	}
	c.Classes = append(c.Classes, Class{Label: "large", Train: 40, Test: 1}, Class{Label: "small", Validation: 0})
	got := c.Shown()
	if len(got) != 31 || got[0].Label != "large" || got[25].Others != 2 || got[25].Label != "" || got[30].Label != "small" {
		t.Errorf("%+v", got)
	}
	for i := 1; i < len(got); i++ {
		if i != 25 && i != 26 && got[i].Examples() > got[i-1].Examples() || got[24].Examples() < got[26].Examples() {
			t.Errorf("line %d: %+v", i, got)
		}
	}
	if c.Classes[0].Label != "0" {
		t.Error("the card's own classes have been sorted")
	}
}
