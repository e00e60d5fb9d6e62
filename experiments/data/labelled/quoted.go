package labelled

import "strings"

// csvReads is the way out for TSV files whose fields are quoted as those of CSV are.
const csvReads = "the format csv (--format csv) reads what is in quotation marks"

// quoting is what the quotation marks of a TSV file look like. There they are the
// texts' own, as the format has it; but pandas and Excel quote as in CSV, and then every
// field that has one begins and ends with one, and those within are doubled.
type quoting struct {
	fields, line int  // how many are so, the first one's line
	other        bool // there are others: the marks are the texts'
}

// see looks at the fields of a line.
func (q *quoting) see(line int, fields []string) {
	if q.other {
		return
	}
	for _, f := range fields {
		if strings.IndexByte(f, '"') < 0 {
			continue
		}
		if f = strings.TrimSpace(f); !isQuoted(f) {
			q.other = true
			return
		}
		if q.fields++; q.fields == 1 {
			q.line = line
		}
	}
}

// isQuoted says that a field is in quotation marks as in CSV.
func isQuoted(f string) bool {
	return len(f) >= 2 && f[0] == '"' && f[len(f)-1] == '"' && !strings.Contains(strings.ReplaceAll(f[1:len(f)-1], `""`, ""), `"`)
}

// noteQuoting tells of fields that are quoted, if all are that have a mark: the texts of
// those who mean the marks stay as they are.
func (c *collector) noteQuoting(q quoting) {
	if q.fields > 0 && !q.other {
		c.note("every field with a quotation mark, %d of them, begins and ends with one, the first in line %d, as pandas and Excel quote: "+
			"all marks were read as the texts'; if they are not, %s", q.fields, q.line, csvReads)
	}
}
