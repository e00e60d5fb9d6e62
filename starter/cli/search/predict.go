package search

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/activities/library"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/vectors"
	"tnaml/experiments/exported"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

const (
	// predictBatch is the number of lines or images classified together.
	predictBatch = 1024
	// maxUnread is how many files that cannot be read are reported.
	maxUnread = 10
)

// sayEnsemble says which models an ensemble has, and how good it is.
func (a app) sayEnsemble(e *library.Ensemble) {
	var members []string
	for _, m := range e.Members {
		members = append(members, fmt.Sprintf("%d × trial %d", m.Weight, m.Trial))
	}
	validation, test := e.SingleAccuracy()
	a.Say("An ensemble of %d of the %d kept models of %s: %s.", len(e.Members), e.Kept, e.Task, strings.Join(members, ", "))
	a.Say("Accuracy: validation %s, by which it was chosen, test %s; the best single model (trial %d): %s and %s.",
		terminal.Percent(e.Validation), terminal.Percent(e.Test), e.Single.Trial, terminal.Percent(validation), terminal.Percent(test))
}

// vectorFile is where the vectors of the texts are that are classified.
type vectorFile struct{ name, column string }

// read reads the vectors that a model takes; nil where it takes none.
func (v vectorFile) read(ctx context.Context, b exported.Predictor) (*vectors.Matrix, error) {
	takes, err := b.Vectors()
	switch {
	case err != nil:
		return nil, err
	case takes == nil && v.name != "":
		return nil, client.Usage(errors.New("the model takes no vectors: leave --vectors out"))
	case takes == nil:
		return nil, nil
	case v.name == "":
		return nil, client.Usage(fmt.Errorf("the model takes vectors of whole texts (module %s, %d numbers), which cannot be computed here: "+
			"give those of these texts with --vectors FILE, a row a line", takes.Module, takes.Dim))
	}
	file, err := terminal.ReadFile(ctx, v.name)
	if err != nil {
		return nil, err
	}
	m, err := vectors.Read(file, v.column)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.name, err)
	}
	if m.Dim != takes.Dim {
		return nil, fmt.Errorf("%s: vectors of %d numbers, the model takes those of the module %s, of %d", v.name, m.Dim, takes.Module, takes.Dim)
	}
	return m, nil
}

// predict classifies the lines of a file, each with a result, the empty ones too.
func (a app) predict(ctx context.Context, b exported.Predictor, file, encoding string, from vectorFile) error {
	given, err := from.read(ctx, b)
	if err != nil {
		return err
	}
	var texts []string
	lines := 0
	flush := func() error {
		var under []float32
		if given != nil {
			if lines+len(texts) > given.Rows {
				return fmt.Errorf("%s has %d vectors, there are more texts: it must have one for each line, the empty ones too", from.name, given.Rows)
			}
			under = given.Values[lines*given.Dim : (lines+len(texts))*given.Dim]
		}
		err := a.printPredictions(b, b.Predict(texts, under), "text", texts, lines)
		lines += len(texts)
		texts = texts[:0]
		return err
	}
	o := labelled.Options{Encoding: encoding, Certainty: labelled.Certain, MaxBytes: math.MaxInt64}
	err = labelled.Lines(a.Input(ctx, file), o, func(text string) error {
		if texts = append(texts, text); len(texts) == predictBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return terminal.EncodingHint(fmt.Errorf("reading the texts: %w", err))
	}
	if err := flush(); err != nil {
		return err
	}
	if given != nil && lines != given.Rows {
		return fmt.Errorf("%s has %d vectors for %d texts: it must have one for each line, the empty ones too", from.name, given.Rows, lines)
	}
	return nil
}

// predictImages classifies image files. Those that cannot be read are reported
// together, after the others' labels.
func (a app) predictImages(ctx context.Context, b exported.Predictor, files []string) error {
	if len(files) == 0 {
		return client.Usage(errors.New("a model of images needs image files: name them"))
	}
	var failed []error
	for batch := range slices.Chunk(files, predictBatch) {
		var pixels []uint8
		var names []string
		for _, name := range batch {
			data, err := terminal.ReadFile(ctx, name)
			if err != nil {
				failed = append(failed, err)
				continue
			}
			image, err := b.ReadImage(data)
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", name, err))
				continue
			}
			pixels, names = append(pixels, image...), append(names, name)
		}
		predictions, err := b.PredictImages(pixels)
		if err != nil {
			return err
		}
		if err := a.printPredictions(b, predictions, "file", names, 0); err != nil {
			return err
		}
	}
	if more := len(failed) - maxUnread; more > 0 {
		failed = append(failed[:maxUnread], fmt.Errorf("and %d more", more))
	}
	return errors.Join(failed...)
}

// printPredictions writes a line for each prediction; what says what of is, of which so
// many were before. A model whose answer is no number has none, and those after it are not
// written.
func (a app) printPredictions(b exported.Predictor, predictions []exported.Prediction, what string, of []string, before int) error {
	out := bufio.NewWriter(a.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for i, p := range predictions {
		if err := p.Check(); err != nil {
			return errors.Join(out.Flush(), fmt.Errorf("%s %d, %q: %w", what, before+i+1, terminal.Cut(of[i], 60), err))
		}
		if !a.JSON {
			if _, err := fmt.Fprintf(out, "%s\t%.4f\t%s\n", field(p.Label), slices.Max(p.Probabilities), field(of[i])); err != nil {
				return err
			}
			continue
		}
		probabilities := map[string]float32{}
		for k, label := range b.About().Labels {
			probabilities[label] = p.Probabilities[k]
		}
		if err := encoder.Encode(map[string]any{"label": p.Label, "probabilities": probabilities, what: of[i]}); err != nil {
			return err
		}
	}
	return out.Flush()
}

// field is a text within a line of fields parted by tabs: what would break it is
// written as \t, \n, \r, a backslash as \\.
func field(s string) string { return escapes.Replace(s) }

var escapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
