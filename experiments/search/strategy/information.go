package strategy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Information is how much a controller tells its tasks apart: the mutual information
// of task and choice (controller.Information), in bits. At 0 the task embeddings mean
// nothing.
type Information struct {
	// Architecture is that of the task and all choices together, Most what it can be
	// at most: log2 of the number of tasks.
	Architecture float64 `json:"architecture"`
	Most         float64 `json:"most"`
	// Error is Architecture's standard error, from Samples architectures a task; both
	// are 0 where it is exact.
	Error   float64 `json:"standard_error,omitzero"`
	Samples int     `json:"samples,omitzero"`
	// Choices are in the space's order.
	Choices []ChoiceInformation `json:"choices"`
}

// ChoiceInformation is the mutual information of the task and one choice.
type ChoiceInformation struct {
	Choice string  `json:"choice"`
	Bits   float64 `json:"bits"`
}

// informationSamples are drawn for each task: about a second's work for eight tasks.
const informationSamples = 200

// Information measures how much the controller tells its tasks apart.
func (p *Pretrained) Information() *Information {
	i := p.Policy.Information(informationSamples, 0)
	out := &Information{
		Architecture: i.Architecture, Most: math.Log2(float64(max(p.Policy.Tasks(), 1))), Error: i.Error, Samples: i.Samples,
	}
	for c, choice := range p.Space().Choices {
		out.Choices = append(out.Choices, ChoiceInformation{choice.Name, i.Choices[c]})
	}
	return out
}

// String is the information in a sentence, with the choices that tell most.
func (i *Information) String() string {
	text := fmt.Sprintf("Mutual information of task and architecture: %.2f", max(0, i.Architecture))
	if i.Samples > 0 {
		text += fmt.Sprintf(" ± %.2f", 2*i.Error)
	}
	text += fmt.Sprintf(" of at most %.2f bits", i.Most)
	var parts []string
	most := func(a, b ChoiceInformation) int { return cmp.Compare(b.Bits, a.Bits) }
	for _, c := range slices.SortedStableFunc(slices.Values(i.Choices), most) {
		if c.Bits >= 0.005 {
			parts = append(parts, fmt.Sprintf("%s %.2f", strings.ReplaceAll(c.Choice, "_", " "), c.Bits))
		}
	}
	if len(parts) == 0 {
		return text + ": it treats all tasks alike"
	}
	return text + "; by choice: " + strings.Join(parts, ", ")
}
