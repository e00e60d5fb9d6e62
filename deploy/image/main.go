// Command image writes tnaml's container image without a container engine: an OCI layout
// with a manifest for each platform, and a bill of materials in each image and beside it.
// The same sources give the same digests.
//
//	go -C deploy/image run . -out /tmp/tnaml                  # a layout: skopeo, crane and containerd read it
//	go -C deploy/image run . -out /tmp/tnaml -push HOST/NAME:TAG
//	go -C deploy/image run . -root /tmp/root                  # the image's files alone, by owner, for deploy/Dockerfile
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	source := flags.String("source", "../..", "tnaml's `directory`")
	out := flags.String("out", "", "write an OCI layout and the bills of materials to this `directory`, which must be empty or new")
	root := flags.String("root", "", "write the files of the image, by owner, to this `directory`, which must be empty or new")
	push := flags.String("push", "", "push the image to this `reference`, with the credentials of docker login")
	platforms := flags.String("platforms", "linux/"+runtime.GOARCH, "`platforms`, with commas between them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	list := strings.Split(*platforms, ",")
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected %q", flags.Arg(0))
	case *out == "" && *root == "" && *push == "":
		return errors.New("nothing to do: give -out, -push or -root")
	case *root != "" && len(list) > 1:
		return errors.New("-root holds the files of one platform")
	}
	var reference name.Reference
	if *push != "" {
		var err error
		if reference, err = name.ParseReference(*push); err != nil {
			return fmt.Errorf("-push: %w", err)
		}
	}
	for _, dir := range []string{*out, *root} {
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return fmt.Errorf("%s is not empty", dir)
		}
	}
	var images []platformImage
	for _, p := range list {
		b, err := build(ctx, *source, p)
		if err != nil {
			return err
		}
		if *root != "" {
			if err := write(*root, b.files()); err != nil {
				return err
			}
		}
		image, err := b.image()
		if err != nil {
			return err
		}
		images = append(images, image)
	}
	index, err := index(images)
	if err != nil {
		return err
	}
	if *out != "" {
		if _, err := layout.Write(*out, index); err != nil {
			return err
		}
		for _, i := range images {
			if err := os.WriteFile(filepath.Join(*out, "sbom-"+i.platform.Architecture+".cdx.json"), i.sbom, 0o644); err != nil {
				return err
			}
		}
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	if *push == "" {
		return nil
	}
	return remote.WriteIndex(reference, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
}
