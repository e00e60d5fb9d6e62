// Command prebuild builds the dev stack's program where the tests look for it, and says how far
// it is: the first time that takes longer than go test lets a package's tests take.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"tnaml/deploy/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cache, err := stack.TestCache()
	if err == nil {
		_, err = stack.BuildBinary(ctx, cache, func(line string) { fmt.Fprintln(os.Stderr, line) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prebuild:", err)
		os.Exit(1)
	}
}
