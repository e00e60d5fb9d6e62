package embedding

// Triple says that a word is more like Near than like Far.
type Triple struct{ Word, Near, Far string }

// Triples is a small check of what vectors know, of the vocabulary of film
// reviews in English and of news in Spanish; nil for other languages. It tells
// a broken module from a sound one, and no more.
func Triples(language string) []Triple {
	switch language {
	case "en":
		return english()
	case "es":
		return spanish()
	}
	return nil
}

func english() []Triple {
	return []Triple{
		{"good", "great", "camera"}, {"bad", "awful", "camera"}, {"terrible", "horrible", "music"}, {"actor", "actress", "script"},
		{"film", "movie", "actor"}, {"funny", "hilarious", "dark"}, {"boring", "dull", "funny"}, {"scary", "creepy", "funny"},
		{"director", "filmmaker", "dialogue"}, {"comedy", "humor", "violence"}, {"horror", "scary", "romance"}, {"music", "soundtrack", "plot"},
		{"plot", "story", "camera"}, {"war", "soldiers", "comedy"}, {"husband", "wife", "director"}, {"mother", "daughter", "camera"},
		{"father", "son", "music"}, {"dvd", "video", "actress"}, {"cinematography", "photography", "husband"},
		{"script", "screenplay", "soundtrack"},
		{"ending", "conclusion", "camera"}, {"cast", "actors", "music"}, {"zombie", "vampire", "wedding"}, {"murder", "killer", "wedding"},
		{"police", "cop", "musical"}, {"love", "romance", "zombie"}, {"kids", "children", "murder"}, {"song", "lyrics", "script"},
		{"book", "novel", "actor"}, {"two", "three", "boring"}, {"years", "months", "plot"}, {"beautiful", "gorgeous", "stupid"},
		{"stupid", "dumb", "beautiful"}, {"excellent", "superb", "awful"}, {"series", "episode", "camera"}, {"animation", "cartoon", "detective"},
		{"detective", "cop", "cartoon"}, {"american", "british", "scene"},
	}
}

func spanish() []Triple {
	return []Triple{
		{"presidente", "ministro", "agua"}, {"gobierno", "ministerio", "jugador"}, {"lunes", "martes", "empresa"},
		{"enero", "febrero", "persona"},
		{"madrid", "barcelona", "ley"}, {"españa", "francia", "jugador"}, {"euros", "dólares", "semana"}, {"equipo", "jugador", "banco"},
		{"gol", "partido", "banco"}, {"banco", "empresa", "equipo"}, {"policía", "guardia", "mercado"}, {"juez", "tribunal", "equipo"},
		{"hijo", "padre", "mercado"}, {"mujer", "hombre", "bolsa"}, {"ciudad", "capital", "sentencia"}, {"norte", "sur", "ministro"},
		{"primero", "segundo", "gobierno"}, {"ayer", "hoy", "empresa"}, {"alcalde", "ayuntamiento", "jugador"}, {"acciones", "bolsa", "juez"},
		{"guerra", "ejército", "precio"}, {"elecciones", "votos", "kilómetros"},
	}
}

// Checked is the outcome of a check.
type Checked struct {
	// Right counts the triples of which the near word has the larger cosine, Of
	// those of which all words have vectors.
	Right int `json:"right"`
	Of    int `json:"of"`
	// Wrong are those that are not right, Missing those with a word that the
	// module does not know.
	Wrong   []Triple `json:"wrong,omitempty"`
	Missing []Triple `json:"missing,omitempty"`
}

// Share is the share of triples ranked right, 0 where there are none.
func (c Checked) Share() float64 { return float64(c.Right) / float64(max(1, c.Of)) }

// Check counts the triples that a module ranks right.
func (m *Module) Check(triples []Triple) Checked {
	l := m.Lookup()
	var c Checked
	word, nearby, far := make([]float32, m.Dim), make([]float32, m.Dim), make([]float32, m.Dim)
	for _, t := range triples {
		if l.Vector(word, t.Word) == Unknown || l.Vector(nearby, t.Near) == Unknown || l.Vector(far, t.Far) == Unknown {
			c.Missing = append(c.Missing, t)
			continue
		}
		c.Of++
		if cosine(word, nearby) > cosine(word, far) {
			c.Right++
		} else {
			c.Wrong = append(c.Wrong, t)
		}
	}
	return c
}
