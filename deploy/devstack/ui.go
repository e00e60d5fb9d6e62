package main

import (
	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI starts Temporal's web UI. It ends the process when it cannot listen.
func startUI(p *ports) *server.Server {
	s := server.NewServer(server_options.WithConfigProvider(&config.Config{
		TemporalGRPCAddress: loopback(p.frontend), Host: "127.0.0.1", Port: p.ui,
		EnableUI: true, DefaultNamespace: namespace, HideLogs: true, DisableNewsFetch: true,
		CORS: config.CORS{CookieInsecure: true}, // plain HTTP on loopback
	}))
	go func() { _ = s.Start() }()
	return s
}
