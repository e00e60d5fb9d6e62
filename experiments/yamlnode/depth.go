package yamlnode

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// maxKeys bounds the keys of one mapping: the parser's time grows with their square.
const maxKeys = 5000

// collection is one that is open where the tokens are: in block style its column, in
// flow style 0.
type collection struct{ column, keys int }

// excess looks, before anything is parsed, for what the parser takes gigabytes or
// minutes for: it goes down into collections without an end. It counts no more
// than there are, so that it refuses nothing that may be read: in block style only what
// begins further to the right than what it stands in.
func excess(tokens token.Tokens) (line int, err error) {
	var open []collection
	flow := 0 // how many of the last ones are in flow style
	key := func() error {
		if len(open) == 0 {
			return nil
		}
		last := &open[len(open)-1]
		if last.keys++; last.keys > maxKeys {
			return fmt.Errorf("a mapping of more than %d keys", maxKeys)
		}
		return nil
	}
	for i, t := range tokens {
		line = t.Position.Line
		switch t.Type {
		case token.DocumentHeaderType, token.DocumentEndType:
			open, flow = open[:0], 0
		case token.SequenceStartType, token.MappingStartType:
			open, flow = append(open, collection{}), flow+1
		case token.SequenceEndType, token.MappingEndType:
			if flow > 0 {
				open, flow = open[:len(open)-1], flow-1
			}
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			begin := t
			if t.Type == token.MappingValueType && i > 0 && tokens[i-1].Position.Line == line {
				begin = tokens[i-1]
			}
			if flow == 0 {
				open = at(open, begin.Position.Column)
			}
			if t.Type == token.MappingValueType {
				err = key()
			}
		}
		if len(open) > maxDepth+1 {
			err = errTooDeep
		}
		if err != nil {
			return line, err
		}
	}
	return 0, nil
}

// at closes the collections in block style that lie to the right of a column, and opens
// one there unless it is open.
func at(open []collection, column int) []collection {
	for len(open) > 0 && open[len(open)-1].column > column {
		open = open[:len(open)-1]
	}
	if len(open) == 0 || open[len(open)-1].column < column {
		open = append(open, collection{column: column})
	}
	return open
}
