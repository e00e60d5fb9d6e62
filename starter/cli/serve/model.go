package serve

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"tnaml/experiments/exported"
	"tnaml/starter/api"
	"tnaml/starter/cli/models"
	"tnaml/starter/client"
)

func (a app) serveModelCommand() *cobra.Command {
	var o serving
	var p client.Pick
	cmd := &cobra.Command{
		Use: "serve-model DIRECTORY|SEARCH", Short: "Serve a model's predictions over HTTP",
		Long: "Serve the predictions of an exported model, which needs no server, or of a search's best one, over HTTP, in JSON, to whoever\n" +
			"has the token (see starter serve). What comes while all processors are at work is classified together; a lone text is at once.\n" +
			"GET /v1/model says what the model is, /metrics is for Prometheus, /healthz needs no token. Ctrl-C answers what is under way.",
		Example: "  starter model export spam-naml-s1-1 -o spam.model\n  starter serve-model spam.model\n" +
			"  curl -H \"Authorization: Bearer $TOKEN\" -d '{\"texts\": [\"free prize, call now\"]}' localhost:8289/v1/predict\n" +
			"  curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: image/jpeg' --data-binary @rose.jpg localhost:8289/v1/predict",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return client.Usage(err)
			}
			m, err := a.servedModel(cmd.Context(), args[0], p)
			if err != nil {
				return err
			}
			token, err := a.token(o.tokenFile)
			if err != nil {
				return err
			}
			server, err := api.ModelServer(m, token)
			if err != nil {
				return err
			}
			a.Say("%s: trial %d of %s, task %s", m.Info.Summary, m.Info.Trial, m.Info.Search, m.Info.Task)
			return a.serve(cmd.Context(), server, o, "/v1/predict")
		},
	}
	models.PickFlags(cmd, &p)
	o.flags(cmd, "127.0.0.1:8289")
	return cmd
}

// servedModel is the model in a directory, where there is one of the name, or a search's.
func (a app) servedModel(ctx context.Context, name string, p client.Pick) (*exported.Model, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return models.Open(name, p)
	}
	return models.Of(ctx, a.App, name, p)
}
