package gc

// For tests, which stand outside: what they build their stores with imports this
// package.
const (
	KindTask   = kindTask
	KindConfig = kindConfig
	KindLedger = kindLedger
	KindCosts  = kindCosts
	KindReport = kindReport
	KindOther  = kindOther
	Peek       = peek
)

var (
	KindOf     = kindOf
	Containers = containers
)

// Typed leaves out what merely looks like a reference.
func Typed(o Options) Options {
	o.typed = true
	return o
}

// OneAtATime leaves the rest of what is to be set aside to the next collection.
func (p *Plan) OneAtATime() { p.discard = p.discard[:min(1, len(p.discard))] }
