package deploy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// authority signs certificates of a test's own.
type authority struct {
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	a.certificate, a.key = template, nil
	a.certificate, a.key = a.issue(t, "ca", template)
	return a
}

// issue writes NAME.crt and NAME.key.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil { // its own
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.file(name+".crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, a.file(name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	return made, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// leaf issues a certificate for a name, for a time that begins and ends so long from now.
func (a *authority) leaf(t *testing.T, name string, begins, ends time.Duration) {
	t.Helper()
	now := time.Now()
	a.issue(t, name, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{"server.internal"}, NotBefore: now.Add(begins), NotAfter: now.Add(ends)})
}

// pair is the certificate of a name with its key.
func (a *authority) pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// doorkeeper is as much of a Temporal server as a client asks when it connects.
type doorkeeper struct {
	workflowservice.UnimplementedWorkflowServiceServer
	key string // wanted, unless it is empty
}

func (d doorkeeper) GetSystemInfo(ctx context.Context, _ *workflowservice.GetSystemInfoRequest) (
	*workflowservice.GetSystemInfoResponse, error,
) {
	md, _ := metadata.FromIncomingContext(ctx)
	if got := strings.Join(md.Get("authorization"), " "); d.key != "" && got != "Bearer "+d.key {
		return nil, status.Error(codes.PermissionDenied, "request unauthorized")
	}
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (d doorkeeper) start(t *testing.T, config *tls.Config) string {
	t.Helper()
	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	s := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(s, d)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// Temporal servers are reached by settings alone, with TLS, client certificates and API keys; one that does
// not let in is told with what it may want, and without a secret.
func TestTemporalByTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	a := newAuthority(t)
	for _, name := range []string{"server", "client"} {
		a.leaf(t, name, -time.Hour, time.Hour)
		a.leaf(t, name+"-old", -2*time.Hour, -time.Hour)
	}
	a.leaf(t, "server-early", time.Hour, 2*time.Hour)
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	oneWay := &tls.Config{Certificates: []tls.Certificate{a.pair(t, "server")}}
	mutual := &tls.Config{Certificates: oneWay.Certificates, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	const secret = "k3y-of-the-test"
	plain := doorkeeper{}.start(t, nil)
	keyed, certified := doorkeeper{key: secret}.start(t, oneWay), doorkeeper{}.start(t, mutual)
	// with TLS 1.2 a client hears in the handshake itself why it is refused: after it, it may find the connection closed instead
	handshake := mutual.Clone()
	handshake.MaxVersion = tls.VersionTLS12
	certifiedAtOnce := doorkeeper{}.start(t, handshake)
	old := doorkeeper{}.start(t, &tls.Config{Certificates: []tls.Certificate{a.pair(t, "server-old")}})
	early := doorkeeper{}.start(t, &tls.Config{Certificates: []tls.Certificate{a.pair(t, "server-early")}})
	ca, name := "TEMPORAL_TLS_SERVER_CA_CERT_PATH="+a.file("ca.crt"), "TEMPORAL_TLS_SERVER_NAME=server.internal"
	cert, key := "TEMPORAL_TLS_CLIENT_CERT_PATH="+a.file("client.crt"), "TEMPORAL_TLS_CLIENT_KEY_PATH="+a.file("client.key")
	apiKey := "TEMPORAL_API_KEY=" + secret
	profile := a.file("temporal.toml")
	write(t, profile, fmt.Sprintf("[profile.ours]\naddress = %q\n[profile.ours.tls]\nserver_name = \"server.internal\"\n"+
		"server_ca_cert_path = %q\nclient_cert_path = %q\nclient_key_path = %q\n", certified, a.file("ca.crt"), a.file("client.crt"),
		a.file("client.key")))
	for _, tt := range []struct {
		name, address string
		env           []string
		want          string
	}{
		{"client certificate", certified, []string{ca, name, cert, key}, ""},
		{"client certificate, by a profile", "", []string{"TEMPORAL_CONFIG_FILE=" + profile, "TNAML_TEMPORAL_PROFILE=ours"}, ""},
		{"API key", keyed, []string{ca, name, apiKey}, ""},
		{"no TLS", certified, nil, "TEMPORAL_TLS=true"},
		{"no client certificate", certified, []string{ca, name}, "TEMPORAL_TLS_CLIENT_CERT_PATH"},
		{"no API key", keyed, []string{ca, name}, "TEMPORAL_API_KEY"},
		{"another API key", keyed, []string{ca, name, "TEMPORAL_API_KEY=0ther"}, "TEMPORAL_API_KEY"},
		{"no authority", keyed, []string{name, apiKey}, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"},
		{"no server name", keyed, []string{ca, apiKey}, "TEMPORAL_TLS_SERVER_NAME"},
		{"server's certificate expired", old, []string{ca, name}, "the server's certificate is out of its time"},
		{"server's certificate not yet valid", early, []string{ca, name}, "the server's certificate is out of its time"},
		{"client certificate expired", certifiedAtOnce, []string{ca, name, strings.Replace(cert, "client.crt", "client-old.crt", 1),
			strings.Replace(key, "client.key", "client-old.key", 1)}, "renew the client certificate"},
		{"TLS to a server without", plain, []string{ca, name, apiKey}, "TEMPORAL_TLS=false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := append([]string{"TNAML_TEMPORAL_ADDRESS=" + tt.address, "TNAML_S3_ENDPOINT=127.0.0.1:1",
				"TEMPORAL_CONFIG_FILE=/none"}, tt.env...)
			c, err := Load(nil, env)
			if err != nil {
				t.Fatal(err)
			}
			to, err := c.Target()
			if err != nil {
				t.Fatal(err)
			}
			client, err := to.Dial(t.Context(), slog.New(slog.DiscardHandler))
			if tt.want == "" && err == nil {
				client.Close()
				return
			}
			if tt.want == "" || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
