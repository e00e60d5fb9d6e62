package main

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
)

// startUI starts Temporal's web UI behind the guard. It is put together here
// because ui-server's own server listens by itself, where nothing can stand
// before it.
func startUI(p *ports) (*http.Server, error) {
	provider, err := config.NewConfigProviderWithRefresh(&config.Config{
		TemporalGRPCAddress: loopback(p.frontend), Host: "127.0.0.1", Port: p.ui,
		EnableUI: true, DefaultNamespace: namespace, HideLogs: true, DisableNewsFetch: true,
		CORS: config.CORS{CookieInsecure: true}, // plain HTTP on loopback
	})
	if err != nil {
		return nil, err
	}
	bundled, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	assets, err := fs.Sub(bundled, "local")
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure())
	// Its pages send the token that this hands them.
	e.Use(csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, false)))
	if err := route.SetAPIRoutes(e, provider, nil); err != nil {
		return nil, err
	}
	if err := route.SetUIRoutes(e, "", assets, provider); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")

	l, err := net.Listen("tcp", loopback(p.ui))
	if err != nil {
		return nil, fmt.Errorf("port of the web UI: %w", err)
	}
	s := &http.Server{Handler: guard(e)}
	go func() { _ = s.Serve(l) }()
	return s, nil
}
