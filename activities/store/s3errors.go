package store

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
)

// fail describes an error of a request and gives it its class. what names the
// object or the name.
func (s *S3) fail(ctx context.Context, verb, what string, err error) error {
	if err == nil {
		return nil
	}
	hint, class := classify(ctx, err)
	if class != nil {
		return fmt.Errorf("object store: cannot %s %s in %s: %w (%w)%s", verb, what, s.config, class, err, hint)
	}
	return fmt.Errorf("object store: cannot %s %s in %s: %w%s", verb, what, s.config, err, hint)
}

// Codes of the servers, by what they mean to us.
var (
	absentCodes = []string{"NoSuchKey", "NoSuchObject", "NotFound"}
	// Denied covers what a person must mend: keys, rights, the clock.
	deniedCodes = []string{"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken",
		"RequestTimeTooSkewed", "AllAccessDisabled", "AccountProblem", "XAdminUserNotFound"} // the last is VersityGW's, for unknown keys
	fullCodes = []string{"XMinioStorageFull", "InsufficientStorage", "InsufficientCapacity", "QuotaExceeded",
		"XMinioAdminBucketQuotaExceeded"}
	regionCodes = []string{"AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect", "IllegalLocationConstraintException"}
)

// classify returns a hint for the person who reads an error, and the error's
// class, nil where there is none.
func classify(ctx context.Context, err error) (hint string, class error) {
	text := err.Error()
	r, answered := response(err)
	if !answered {
		var certificate *x509.UnknownAuthorityError
		var authority x509.UnknownAuthorityError
		switch {
		case ctx.Err() != nil: // the caller's own doing
			return "", nil
		case strings.Contains(text, "server gave HTTP response to HTTPS client"):
			return "; this server speaks plain HTTP: turn TLS off, or write the endpoint as http://", nil
		case errors.As(err, &certificate), errors.As(err, &authority):
			return "; to trust this server's certificate name its authority's PEM file in TNAML_S3_CA_FILE (s3.ca_file)", nil
		}
		return "; is the server running, and the endpoint right?", nil
	}
	switch status, code := r.StatusCode, r.Code; {
	case code == "NoSuchBucket":
		// Not ErrNotFound: whoever takes an object for absent would be wrong.
		return "; the bucket is gone", nil
	case slices.Contains(absentCodes, code), status == http.StatusNotFound && !slices.Contains(deniedCodes, code):
		return "", ErrNotFound
	case full(err):
		return "; the server's disk is full: free some space, nothing was half-written", nil
	case code == "RequestTimeTooSkewed":
		return "; set the clock of this machine or of the server", ErrDenied
	case slices.Contains(regionCodes, code), status == http.StatusMovedPermanently:
		return "; check the region", nil
	case slices.Contains(deniedCodes, code), status == http.StatusForbidden, status == http.StatusUnauthorized:
		return "; check access key, secret key and the bucket's policy", ErrDenied
	case strings.Contains(text, "HTTP request to an HTTPS server"), code == "400 Bad Request": // an S3 server gives its reason
		return "; if this server speaks TLS, turn TLS on, or write the endpoint as https://", nil
	}
	return "", nil
}

// full reports that the server's disk is.
func full(err error) bool {
	r, _ := response(err)
	return slices.Contains(fullCodes, r.Code) || r.StatusCode == http.StatusInsufficientStorage ||
		strings.Contains(err.Error(), "no space left")
}

// response returns the server's answer in an error, if it has answered.
func response(err error) (minio.ErrorResponse, bool) {
	var r minio.ErrorResponse
	return r, errors.As(err, &r)
}

// refused reports that the condition of a write was not met: the key is taken,
// or has changed. Servers say 412, 409 when two writers meet, and 304 of old.
func refused(err error) bool {
	r, answered := response(err)
	if !answered || noDirectory(err) {
		return false
	}
	switch r.StatusCode {
	case http.StatusNotModified, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return slices.Contains([]string{"PreconditionFailed", "ConditionalRequestConflict", "NotModified"}, r.Code)
}

// noDirectory reports that a write was not carried out since the directory of its
// key went away meanwhile: a server that keeps objects as files removes a directory
// with its last file. VersityGW says so in words that mean another thing.
func noDirectory(err error) bool {
	r, _ := response(err)
	return r.Code == "ExistingObjectIsDirectory"
}

// broken reports a server's trouble with a copy that passes. VersityGW answers 500
// where the source is taken away meanwhile, and may do so many times where others
// store it anew.
func broken(err error) bool {
	r, answered := response(err)
	return answered && r.StatusCode == http.StatusInternalServerError && !full(err) || noDirectory(err)
}

// insistBackOff is the wait after the first failure of a step.
const insistBackOff = 200 * time.Millisecond

// insist takes a step up to maxAttempts times, as long as it fails by what again
// holds of. What passes within a step is the client's to try again.
func insist(ctx context.Context, again func(error) bool, step func() error) error {
	for attempt := time.Duration(1); ; attempt++ {
		err := step()
		if err == nil || absent(err) || !again(err) || attempt == maxAttempts || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(attempt * insistBackOff):
		}
	}
}

// absent reports that the server has no such key.
func absent(err error) bool {
	if err == nil {
		return false
	}
	_, class := classify(context.Background(), err)
	return class == ErrNotFound
}

// cutOff says that the connection broke while a request was sent. A server
// that refuses a conditional write before it has read the body may close the
// connection, and its answer is lost.
func cutOff(err error) bool {
	return err != nil && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, errIdle) || errors.Is(err, net.ErrClosed) || // the transport has seen the reset while the body was being written
		strings.Contains(err.Error(), "Connection closed by foreign host")) // minio-go's words for io.EOF
}
