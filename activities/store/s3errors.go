package store

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
)

// fail describes an error of a request and gives it its class. what names the
// object or the name.
func (s *S3) fail(ctx context.Context, verb, what string, err error) error {
	if err == nil {
		return nil
	}
	class, hint := classify(ctx, err)
	if class != nil {
		return fmt.Errorf("object store: cannot %s %s in %s: %w (%w)%s", verb, what, s.config, class, err, hint)
	}
	return fmt.Errorf("object store: cannot %s %s in %s: %w%s", verb, what, s.config, err, hint)
}

// Codes of the servers, by what they mean to us.
var (
	absentCodes = []string{"NoSuchKey", "NoSuchObject", "NotFound"}
	// Denied covers what a person must mend: keys, rights, the clock.
	deniedCodes = []string{"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed", "AllAccessDisabled", "AccountProblem"}
	fullCodes   = []string{"XMinioStorageFull", "InsufficientStorage", "InsufficientCapacity", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"}
	regionCodes = []string{"AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect", "IllegalLocationConstraintException"}
)

// classify returns an error's class, nil where there is none, and a hint for
// the person who reads it.
func classify(ctx context.Context, err error) (class error, hint string) {
	text := err.Error()
	r, answered := response(err)
	if !answered {
		var certificate *x509.UnknownAuthorityError
		var authority x509.UnknownAuthorityError
		switch {
		case ctx.Err() != nil: // the caller's own doing
			return nil, ""
		case strings.Contains(text, "server gave HTTP response to HTTPS client"):
			return nil, "; this server speaks plain HTTP: turn TLS off, or write the endpoint as http://"
		case errors.As(err, &certificate), errors.As(err, &authority):
			return nil, "; to trust this server's certificate name its authority's PEM file in SSL_CERT_FILE"
		}
		return nil, "; is the server running, and the endpoint right?"
	}
	switch status, code := statusOf(r), r.Code; {
	case code == "NoSuchBucket":
		// Not ErrNotFound: whoever takes an object for absent would be wrong.
		return nil, "; the bucket is gone"
	case slices.Contains(absentCodes, code), status == http.StatusNotFound:
		return ErrNotFound, ""
	case slices.Contains(fullCodes, code), status == http.StatusInsufficientStorage, strings.Contains(text, "no space left"):
		return nil, "; the server's disk is full: free some space, nothing was half-written"
	case code == "RequestTimeTooSkewed":
		return ErrDenied, "; set the clock of this machine or of the server"
	case slices.Contains(regionCodes, code), status == http.StatusMovedPermanently:
		return nil, "; check the region"
	case slices.Contains(deniedCodes, code), status == http.StatusForbidden, status == http.StatusUnauthorized:
		return ErrDenied, "; check access key, secret key and the bucket's policy"
	case strings.Contains(text, "HTTP request to an HTTPS server"):
		return nil, "; this server speaks TLS: turn TLS on, or write the endpoint as https://"
	}
	return nil, ""
}

// response returns the server's answer in an error, if it has answered.
func response(err error) (minio.ErrorResponse, bool) {
	var r minio.ErrorResponse
	return r, errors.As(err, &r)
}

// statusOf is an answer's HTTP status. Of an answer without a body minio-go
// keeps the status line as the code, and nothing else.
func statusOf(r minio.ErrorResponse) int {
	if r.StatusCode != 0 {
		return r.StatusCode
	}
	digits, _, _ := strings.Cut(r.Code, " ")
	status, _ := strconv.Atoi(digits)
	return status
}

// refused reports that the condition of a write was not met: the key is taken,
// or has changed. Servers say 412, 409 when two writers meet, and 304 of old.
func refused(err error) bool {
	r, answered := response(err)
	if !answered {
		return false
	}
	switch statusOf(r) {
	case http.StatusNotModified, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return slices.Contains([]string{"PreconditionFailed", "ConditionalRequestConflict", "NotModified"}, r.Code)
}

// absent reports that the server has no such key.
func absent(err error) bool {
	if err == nil {
		return false
	}
	class, _ := classify(context.Background(), err)
	return class == ErrNotFound
}
