package deploy

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.temporal.io/sdk/contrib/envconfig"
)

// Explained is a setting with its value and where it is from.
type Explained struct {
	Key string `json:"key"`
	// Value is the setting's, as text; that of a secret is never there.
	Value string `json:"value"`
	// Origin is a flag, a variable of the environment, a file, or "default".
	Origin string `json:"origin"`
	Secret bool   `json:"secret,omitempty"`
}

// ofDefault is the origin of what nobody has set.
const ofDefault = "default"

// ofSDK is that of what stands in for an empty setting, or has none.
const ofSDK = "TEMPORAL_* or a profile of the Temporal SDK"

// masked stands for a secret.
const masked = "set, and not shown"

// findOrigins says where the settings are from that are not by default; v has the
// flags and the file alone as yet.
func findOrigins(v *viper.Viper, file string, flags *pflag.FlagSet, environ []string) map[string]string {
	out := map[string]string{}
	for _, s := range Settings() {
		if v.InConfig(s.Key) {
			out[s.Key] = file
		}
		if text, ok := lookup(environ, s.Env()); ok && text != "" {
			out[s.Key] = s.Env()
		}
		if flags == nil || s.Flag == "" {
			continue
		}
		if f := flags.Lookup(s.Flag); f != nil && f.Changed {
			out[s.Key] = "--" + s.Flag
		}
	}
	return out
}

// Explain lists all settings, where each is from, and what of the Temporal SDK's own
// convention stands in for one that is empty, or has none: TLS and the API key. Secrets are masked, those too that somebody
// has put into an address. The error is of that convention; the settings are there all the same.
func (c *Config) Explain() ([]Explained, error) {
	values := map[string]string{}
	flatten(reflect.ValueOf(*c), "", values)
	var out []Explained
	for _, s := range Settings() {
		e := Explained{Key: s.Key, Value: values[s.Key], Origin: ofDefault, Secret: s.Secret}
		if from, ok := c.origins[s.Key]; ok {
			e.Origin = from
		}
		if e.Value = unnamed(e.Value); s.Secret && e.Value != "" {
			e.Value = masked
		}
		out = append(out, e)
	}
	options, err := c.temporalOptions()
	if err != nil {
		return out, err
	}
	for i := range out {
		if out[i].Value != "" {
			continue
		}
		stands := ""
		switch out[i].Key {
		case "temporal.address":
			stands = options.HostPort
		case "temporal.namespace":
			stands = options.Namespace
		}
		if stands == "" || out[i].Key == "temporal.namespace" && stands == "default" {
			continue
		}
		out[i].Value, out[i].Origin = unnamed(stands), ofSDK
	}
	profile, err := c.temporalProfile()
	if profile.APIKey != "" {
		out = append(out, Explained{Key: "temporal.api_key", Value: masked, Origin: ofSDK, Secret: true})
	}
	if says := explainTLS(profile); says != "" {
		out = append(out, Explained{Key: "temporal.tls", Value: says, Origin: ofSDK})
	}
	return out, err
}

// explainTLS says how the connection to Temporal is secured; "": not at all.
func explainTLS(p envconfig.ClientConfigProfile) string {
	t := p.TLS
	switch {
	case t != nil && t.Disabled:
		return "off"
	case t == nil && p.APIKey == "":
		return ""
	case t == nil:
		t = &envconfig.ClientConfigTLS{}
	}
	says := []string{"on"}
	for _, part := range []struct{ what, path, data string }{
		{"server name", t.ServerName, ""},
		{"authority", t.ServerCACertPath, string(t.ServerCACertData)},
		{"client certificate", t.ClientCertPath, string(t.ClientCertData)},
	} {
		if part.path != "" {
			says = append(says, part.what+" "+part.path)
		} else if part.data != "" {
			says = append(says, part.what+" given as data")
		}
	}
	if t.DisableHostVerification {
		says = append(says, "the server's certificate is not checked")
	}
	return strings.Join(says, ", ")
}

// unnamed is an address without what stands before an @: a name, and perhaps a password.
func unnamed(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return "…" + address[i:]
	}
	return address
}

// flatten puts the values of a configuration under their keys.
func flatten(v reflect.Value, below string, out map[string]string) {
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("mapstructure")
		if key == "" || key == "-" {
			continue
		}
		if key, _, _ = strings.Cut(key, ","); v.Field(i).Kind() == reflect.Struct {
			flatten(v.Field(i), below+key+".", out)
			continue
		}
		out[below+key] = fmt.Sprint(v.Field(i).Interface())
	}
}
