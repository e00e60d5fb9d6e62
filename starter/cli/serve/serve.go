package serve

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tnaml/deploy"
	"tnaml/starter/api"
	"tnaml/starter/client"
)

// stopWithin is how long requests may take that are under way when serving ends.
const stopWithin = 10 * time.Second

// serving is what the flags of serve say.
type serving struct {
	listen, tokenFile, certificate, key string
	plaintext                           bool
}

func (a app) serveCommand() *cobra.Command {
	var o serving
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve searches over HTTP: ask for trials, tell what they gave",
		Long: "Serve searches over HTTP, in JSON, to whoever has the token: list them, look at them, ask for trials and tell what they\n" +
			"gave. GET /v1/openapi.json describes it. It serves this machine alone unless told otherwise; the token is made the\n" +
			"first time, shown once if there is a terminal, and kept in the data directory.",
		Example: "  starter serve\n" +
			"  curl -H \"Authorization: Bearer $TOKEN\" -d '{\"wait_seconds\": 30}' localhost:8288/v1/searches/own/ask",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return client.Usage(err)
			}
			token, err := a.token(o.tokenFile)
			if err != nil {
				return err
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				return a.serve(cmd.Context(), api.Server(c, token), o, "/v1/searches")
			})
		},
	}
	o.flags(cmd, "127.0.0.1:8288")
	return cmd
}

// flags gives a command those of serving, at an address unless told otherwise.
func (o *serving) flags(cmd *cobra.Command, listen string) {
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", listen, "`ADDRESS` to listen at")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the token (default: serve-token in the data directory)")
	f.StringVar(&o.certificate, "tls-certificate", "", "file with the certificate chain, to serve TLS")
	f.StringVar(&o.key, "tls-key", "", "file with the certificate's key")
	f.BoolVar(&o.plaintext, "plaintext", false, "let other machines come without TLS: behind a proxy that has it")
}

// check refuses to send the token in the clear, unless told to.
func (o serving) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w: give HOST:PORT, such as 127.0.0.1:8288", err)
	}
	if (o.certificate == "") != (o.key == "") {
		return errors.New("--tls-certificate and --tls-key go together")
	}
	if !deploy.Loopback(host) && o.certificate == "" && !o.plaintext {
		return fmt.Errorf("--listen %s is open to other machines, and the token would travel in the clear: give --tls-certificate and "+
			"--tls-key, or --plaintext if a proxy before it has TLS", o.listen)
	}
	return nil
}

// token reads the token, or makes one where the default file is not there yet.
func (a app) token(file string) (string, error) {
	made := file == ""
	if made {
		file = filepath.Join(a.Config.DataDir, "serve-token")
	}
	info, err := os.Stat(file)
	if made && errors.Is(err, fs.ErrNotExist) {
		token := rand.Text()
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return "", err
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return "", fmt.Errorf("the token: %w", err)
		}
		_, err = f.WriteString(token + "\n")
		if err := errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("the token: %w", err)
		}
		if a.Terminal {
			a.Say("The token is %s (kept in %s, not shown again).", token, file)
		} else { // a log keeps what it is given
			a.Say("The token is in %s.", file)
		}
		return token, nil
	}
	if err != nil {
		return "", fmt.Errorf("the token: %w", err)
	}
	private := fs.FileMode(0o077)
	if ofRoot(info) { // so Kubernetes gives a secret to who is not root: to read, by the pod's group
		private = 0o037
	}
	if info.Mode().Perm()&private != 0 {
		return "", fmt.Errorf("the token in %s can be read by others (mode %#o): `chmod 600` it", file, info.Mode().Perm())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("the token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < api.MinToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("the token in %s must be one word of at least %d bytes: `openssl rand -hex 16` makes one", file, api.MinToken)
	}
	return token, nil
}

// serve serves until ctx ends; what is under way then is answered. It prints the address, with
// a path.
func (a app) serve(ctx context.Context, server *http.Server, o serving, path string) error {
	scheme := "http"
	if o.certificate != "" { // which is looked at before anybody is told that it serves
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return fmt.Errorf("--tls-certificate, --tls-key: %w", err)
		}
		scheme, server.TLSConfig = "https", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	if o.certificate != "" {
		go func() { ended <- server.ServeTLS(listener, "", "") }()
	} else {
		go func() { ended <- server.Serve(listener) }()
	}
	a.Print("%s://%s%s", scheme, listener.Addr(), path)
	a.Say("Ctrl-C stops.")
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	a.Say("stopping")
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		return errors.Join(err, server.Close())
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

var _ api.Searches = (*client.Client)(nil)
