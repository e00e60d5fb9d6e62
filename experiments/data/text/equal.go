package text

import (
	"crypto/sha256"
	"hash"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// digest stands for all the texts that are equal: in normalisation form C, with
// runs of white space as one space.
type digest [16]byte

// digester makes digests without a copy of the text.
type digester struct {
	hash           hash.Hash
	buffer         []byte
	started, space bool
}

func newDigester() *digester { return &digester{hash: sha256.New(), buffer: make([]byte, 0, 1<<12)} }

func (d *digester) of(text string) (out digest) {
	d.hash.Reset()
	d.started, d.space = false, false
	if norm.NFC.IsNormalString(text) {
		for _, r := range text {
			d.add(r)
		}
	} else {
		var it norm.Iter
		for it.InitString(norm.NFC, text); !it.Done(); {
			for _, r := range string(it.Next()) {
				d.add(r)
			}
		}
	}
	d.hash.Write(d.buffer)
	d.buffer = d.buffer[:0]
	copy(out[:], d.hash.Sum(nil))
	return out
}

func (d *digester) add(r rune) {
	if unicode.IsSpace(r) {
		d.space = d.started
		return
	}
	if d.space {
		d.buffer = append(d.buffer, ' ')
	}
	d.started, d.space = true, false
	if d.buffer = utf8.AppendRune(d.buffer, r); len(d.buffer) > cap(d.buffer)-2*utf8.UTFMax {
		d.hash.Write(d.buffer)
		d.buffer = d.buffer[:0]
	}
}
