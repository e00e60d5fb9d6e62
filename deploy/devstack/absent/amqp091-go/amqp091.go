// Package amqp091 stands in for a client of RabbitMQ.
package amqp091

import (
	"errors"
	"time"
)

// These are a way to a server, and what would be sent there.
type (
	Connection struct{}
	Channel    struct{}
	Publishing struct {
		Timestamp              time.Time
		ContentType, MessageId string
		Body                   []byte
	}
)

// Dial says that it cannot.
func Dial(string) (*Connection, error) { return nil, errors.ErrUnsupported }

// Channel says that it cannot.
func (*Connection) Channel() (*Channel, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Connection) Close() error { return nil }

// Publish says that it cannot.
func (*Channel) Publish(_, _ string, _, _ bool, _ Publishing) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Channel) Close() error { return nil }
