package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// blobKey is the key of a blob: objects/sha256/<2>/<62>.
func blobKey(ref Ref) (string, error) {
	if _, err := ParseRef(string(ref)); err != nil {
		return "", err
	}
	digits := string(ref[len(refPrefix):])
	return blobsPrefix + digits[:2] + "/" + digits[2:], nil
}

const (
	blobsPrefix = "objects/sha256/"
	trashPrefix = "trash/sha256/"
	namesPrefix = "names/"
)

// parseBlobKey inverts blobKey; a key that is none has no reference.
func parseBlobKey(key string) (Ref, bool) {
	return parseDigits(strings.CutPrefix(key, blobsPrefix))
}

// parseTrashKey splits trash/sha256/<2>/<62>/<entry>.
func parseTrashKey(key string) (ref Ref, entry string, ok bool) {
	rest, ok := strings.CutPrefix(key, trashPrefix)
	at := strings.LastIndexByte(rest, '/')
	if !ok || at < 0 || at == len(rest)-1 {
		return "", "", false
	}
	ref, ok = parseDigits(rest[:at], true)
	return ref, rest[at+1:], ok
}

// parseDigits reads <2>/<62>.
func parseDigits(s string, ok bool) (Ref, bool) {
	if !ok || len(s) < 3 || s[2] != '/' {
		return "", false
	}
	ref, err := ParseRef(refPrefix + s[:2] + s[3:])
	return ref, err == nil
}

// trashDir is where the entries of a blob in the trash lie. ref is well formed.
func trashDir(ref Ref) string {
	digits := string(ref[len(refPrefix):])
	return trashPrefix + digits[:2] + "/" + digits[2:] + "/"
}

// maxKeyPart is the longest file name of the usual file systems, which a
// gateway may keep a name in.
const maxKeyPart = 255

// checkKind refuses what would not be one part of a key.
func checkKind(kind Kind) error {
	if kind == "" || strings.ContainsFunc(string(kind), func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') }) {
		return fmt.Errorf("%q is not a kind of names: lower-case letters and hyphens", string(kind))
	}
	return nil
}

// CheckName says why a name is none that a store can keep.
func CheckName(kind Kind, name string) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	switch {
	case name == "":
		return fmt.Errorf("a %s with an empty name", kind)
	case len(escape(name)) > maxKeyPart:
		return fmt.Errorf("%s %.40q…: the name is too long: escaped it has %d bytes, at most %d are possible", kind, name,
			len(escape(name)), maxKeyPart)
	}
	return nil
}

// nameKey is the key of a name: names/<kind>/<escaped name>.
func nameKey(kind Kind, name string) (string, error) {
	if err := CheckName(kind, name); err != nil {
		return "", err
	}
	return namePrefix(kind) + escape(name), nil
}

func namePrefix(kind Kind) string { return namesPrefix + string(kind) + "/" }

// escape makes any name a single part of a key: letters, digits, '-', '_', and
// '.' where it is not first, stand for themselves, every other byte is written
// as % and two hex digits. It is injective, keeps prefixes, and avoids what
// gateways over file systems cannot hold: '/', "." and "..".
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unescape inverts escape.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("cut escape")
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(v))
		i += 2
	}
	if out := b.String(); escape(out) == s {
		return out, nil
	}
	return "", errors.New("not in canonical form")
}
