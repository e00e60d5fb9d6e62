package host

import (
	"log/slog"
	"path/filepath"

	"tnaml/deploy"
	"tnaml/worker/monitor"
)

// Monitored is a monitor for a worker by its configuration, which serves metrics and health where
// that says so until it is stopped; nil where it does not. It comes before the connection, which
// takes Config.Measure from it.
func Monitored(c *deploy.Config, log *slog.Logger) (m *monitor.Monitor, stop func(), err error) {
	if c.Metrics == "" {
		return nil, func() {}, nil
	}
	build, err := deploy.Build()
	if err != nil {
		return nil, nil, err
	}
	m = monitor.New(monitor.Options{Version: build, Disks: map[string]string{"data": c.DataDir, "scratch": TrialsDir(c)}, Log: log})
	if c.Measure, err = m.SDK(); err != nil {
		return nil, nil, err
	}
	if stop, err = m.Listen(c.Metrics); err != nil {
		return nil, nil, err
	}
	return m, stop, nil
}

// TrialsDir is where programs have the directories of their trials.
func TrialsDir(c *deploy.Config) string { return filepath.Join(c.DataDir, "trials") }
