// Package tchannel stands in for what the server's processes would find each other through.
package tchannel

import (
	"context"
	"errors"
	"net"
)

// Channel leads nowhere.
type Channel struct{}

// ChannelOptions say how it would lead there.
type ChannelOptions struct {
	Dialer func(context.Context, string, string) (net.Conn, error)
}

// NewChannel says that it cannot.
func NewChannel(string, *ChannelOptions) (*Channel, error) { return nil, errors.ErrUnsupported }

// Serve says that it cannot.
func (*Channel) Serve(net.Listener) error { return errors.ErrUnsupported }

// ListenAndServe says that it cannot.
func (*Channel) ListenAndServe(string) error { return errors.ErrUnsupported }

// PeerInfo is empty.
func (*Channel) PeerInfo() LocalPeerInfo { return LocalPeerInfo{} }

// Close does nothing.
func (*Channel) Close() {}

// LocalPeerInfo says where a channel begins.
type LocalPeerInfo struct{ HostPort string }

// IsEphemeralHostPort says that it begins nowhere yet.
func (LocalPeerInfo) IsEphemeralHostPort() bool { return true }
