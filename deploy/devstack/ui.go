package main

import (
	"context"

	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI starts Temporal's web UI.
func startUI(p ports) *server.Server {
	s := server.NewServer(server_options.WithConfigProvider(&config.Config{
		TemporalGRPCAddress: loopback(p.frontend), Host: "127.0.0.1", Port: p.ui,
		EnableUI: true, DefaultNamespace: namespace, HideLogs: true, DisableNewsFetch: true,
		CORS: config.CORS{CookieInsecure: true}, // plain HTTP on loopback
	}))
	go func() { _ = s.Start() }()
	return s
}

func uiReady(ctx context.Context, p ports) bool {
	return answers(ctx, "http://"+loopback(p.ui)+"/healthz")
}
