// Package types stands in for a service of AWS.
package types

// InvocationType is how a function is called.
type InvocationType string

// InvocationTypeEvent does not wait.
const InvocationTypeEvent InvocationType = "Event"
