package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	interlingua "interlingua.dev/go"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// run is one scenario with the client that it uses.
type run struct {
	scenario
	client *interlingua.Client
}

func (o options) client() *interlingua.Client {
	var choices []interlingua.Option
	if o.APIKey != "" {
		choices = append(choices, interlingua.WithAPIKey(o.APIKey))
	}
	if o.TokenSource {
		count := 0
		choices = append(choices, interlingua.WithTokenSource(func(context.Context) (string, error) {
			count++
			return fmt.Sprintf("token-%d", count), nil
		}))
	}
	if o.TLS != nil {
		choices = append(choices, interlingua.WithTLS(o.TLS.config()))
	}
	client, err := interlingua.New(o.Address, choices...)
	must(err)
	return client
}

func (f *tlsFiles) config() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName, RootCAs: x509.NewCertPool()}
	authority, err := os.ReadFile(f.CAFile)
	must(err)
	config.RootCAs.AppendCertsFromPEM(authority)
	if f.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		must(err)
		config.Certificates = []tls.Certificate{certificate}
	}
	return config
}

// context is that of the next call; where the scenario wants it cancelled the time starts now.
func (r *run) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if r.Options.DeadlineMS > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Options.DeadlineMS)*time.Millisecond)
	}
	if r.Options.Traceparent != "" {
		ctx = interlingua.WithTraceparent(ctx, r.Options.Traceparent)
	}
	for key, value := range r.Options.Metadata {
		ctx = metadata.AppendToOutgoingContext(ctx, key, value)
	}
	if after := r.Options.CancelAfterMS; after > 0 {
		time.AfterFunc(time.Duration(after)*time.Millisecond, cancel)
	}
	return ctx, cancel
}

// decode is the scenario's request.
func decode[M proto.Message](r *run, into M) M {
	must(proto.Unmarshal(r.Request, into))
	return into
}

// encoded is a message in bytes, which JSON shows in base64.
func encoded(message proto.Message) []byte {
	data, err := proto.Marshal(message)
	must(err)
	return data
}

// told adds how a call failed to what was seen before, if it failed.
func (r *run) told(seen observed, err error) observed {
	if err == nil {
		return seen
	}
	if r.Options.CancelAfterMS > 0 && errors.Is(err, context.Canceled) {
		seen["cancelled"] = true
	} else {
		seen["error"] = failure(err)
	}
	return seen
}

// times performs the calls of a scenario and reports the last.
func (r *run) times(call func(context.Context) (observed, error)) observed {
	var seen observed
	for range max(1, r.Options.Calls) {
		ctx, cancel := r.context()
		result, err := call(ctx)
		cancel()
		if result == nil || err != nil {
			result = observed{}
		}
		seen = r.told(result, err)
	}
	return seen
}

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func failure(err error) observed {
	var told *interlingua.Error
	if !errors.As(err, &told) {
		panic(err)
	}
	seen := observed{
		"code": codeNames[told.Code], "reason": told.Reason, "message": told.Message,
		"metadata": told.Metadata,
	}
	if told.RetryAfter != nil {
		seen["retry_after_ms"] = told.RetryAfter.Milliseconds()
	}
	violations := []observed{}
	for _, one := range told.Violations {
		violations = append(violations, observed{"subject": one.Subject, "description": one.Description})
	}
	seen["violations"] = violations
	if told.Resource != nil {
		seen["resource"] = observed{"type": told.Resource.Type, "name": told.Resource.Name}
	}
	return seen
}
