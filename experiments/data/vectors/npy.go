package vectors

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// npyMagic begins a file of NumPy's numpy.save, version and header follow:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
const npyMagic = "\x93NUMPY"

// The three fields of a header, which is a literal of Python's.
var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9L, ]*)\)`)
)

// maxNpyHeader bounds a header, which has three fields.
const maxNpyHeader = 1 << 16

func npy(b []byte) (*Matrix, error) {
	const start = len(npyMagic) + 2
	if len(b) < start+4 {
		return nil, fmt.Errorf("a .npy file of %d bytes is cut off", len(b))
	}
	at, n := start+2, int(binary.LittleEndian.Uint16(b[start:]))
	switch b[start-2] {
	case 1:
	case 2, 3:
		at, n = start+4, int(min(binary.LittleEndian.Uint32(b[start:]), math.MaxInt32))
	default:
		return nil, fmt.Errorf("a .npy file of version %d: 1, 2 and 3 are read", b[start-2])
	}
	if n > maxNpyHeader || n > len(b)-at {
		return nil, fmt.Errorf("the header of the .npy file is said to have %d bytes, the file has %d", n, len(b))
	}
	header := string(b[at : at+n])
	descr, fortran, shaping := npyDescr.FindStringSubmatch(header), npyFortran.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if descr == nil || fortran == nil || shaping == nil {
		return nil, fmt.Errorf("the header of the .npy file is %q: it must say descr, fortran_order and shape of an array of numbers",
			header[:min(len(header), 200)])
	}
	d, ok := decoder{}, false
	if len(descr[1]) == 3 {
		var order binary.ByteOrder = binary.LittleEndian
		if descr[1][0] == '>' {
			order = binary.BigEndian
		}
		if d, ok = decoderOf(descr[1][1:], order); !strings.ContainsRune("<>=|", rune(descr[1][0])) {
			ok = false
		}
	}
	if !ok {
		return nil, fmt.Errorf("the .npy file holds %q: save floats of 16, 32 or 64 bits (array.astype(\"float32\"))", descr[1])
	}
	var shape []int
	for _, word := range strings.FieldsFunc(shaping[1], func(r rune) bool { return r == ',' || r == ' ' }) {
		v, err := strconv.Atoi(strings.TrimSuffix(word, "L")) // Python 2 wrote 10L
		if err != nil {
			return nil, fmt.Errorf("the .npy file has the shape (%s)", shaping[1])
		}
		shape = append(shape, v)
	}
	body := b[at+n:]
	m, err := shaped(shape, d.size, len(body))
	if err != nil {
		return nil, fmt.Errorf(".npy: %w", err)
	}
	m.fill(body, d, fortran[1] == "True")
	return m, nil
}
