// Package interlingua is the client of the Interlingua LLM gateway.
//
//	client, err := interlingua.New("127.0.0.1:50051")
//	...
//	stream := client.Stream(ctx, interlingua.Prompt("Why is the sky blue?"))
//	for text, err := range stream.Text() {
//		...
//	}
//
// Requests and answers are the messages of the contract, in
// interlingua.dev/go/interlingua/v1; the functions of this package make the common ones.
package interlingua

import (
	"context"
	"crypto/tls"
	_ "embed"
	"os"
	"time"

	pb "interlingua.dev/go/interlingua/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// AddressVariable names the environment variable that counts where no address is given.
const AddressVariable = "INTERLINGUA_ADDRESS"

const (
	defaultAddress  = "127.0.0.1:50051"
	maxMessageBytes = 64 << 20

	answerTimeout = 10 * time.Minute
	embedTimeout  = 2 * time.Minute
	batchTimeout  = time.Hour
	countTimeout  = 30 * time.Second
	lookUpTimeout = 15 * time.Second
)

// How every client of the gateway retries and balances: clients/service_config.json.
//
//go:embed service_config.json
var serviceConfig string

// Client is a connection to a gateway; one serves any number of goroutines.
//
// Calls without a deadline get one: 10 minutes for answers, 2 for vectors, an hour for batches, 15 to
// 30 seconds for the rest. Failures of calls are *Error.
type Client struct {
	connection *grpc.ClientConn
	gateway    pb.GatewayServiceClient
	models     pb.ModelServiceClient
	timeout    time.Duration
}

// Option is a choice of New.
type Option func(*options)

type options struct {
	tls     *tls.Config
	token   TokenSource
	timeout time.Duration
	dial    []grpc.DialOption
}

// TokenSource gives the bearer token of a call; it is asked before every call.
type TokenSource func(ctx context.Context) (string, error)

// WithAPIKey sends key as the bearer token of every call.
func WithAPIKey(key string) Option {
	return WithTokenSource(func(context.Context) (string, error) { return key, nil })
}

// WithTokenSource asks source for a bearer token before every call, for tokens that end.
func WithTokenSource(source TokenSource) Option {
	return func(o *options) { o.token = source }
}

// WithTLS speaks TLS; nil trusts the roots of the system. For mutual TLS, config has a certificate.
func WithTLS(config *tls.Config) Option {
	return func(o *options) {
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		o.tls = config
	}
}

// WithTimeout bounds each call whose context has no deadline.
func WithTimeout(timeout time.Duration) Option {
	return func(o *options) { o.timeout = timeout }
}

// WithDialOptions adds options of gRPC's own, such as the stats handler of OpenTelemetry.
func WithDialOptions(dial ...grpc.DialOption) Option {
	return func(o *options) { o.dial = append(o.dial, dial...) }
}

// New makes a client of the gateway at address: `host:port`, `unix:/path` or another gRPC target. Empty,
// the environment's INTERLINGUA_ADDRESS counts, then 127.0.0.1:50051. It connects with the first call.
func New(address string, choices ...Option) (*Client, error) {
	var o options
	for _, choose := range choices {
		choose(&o)
	}
	if address == "" {
		address = os.Getenv(AddressVariable)
	}
	if address == "" {
		address = defaultAddress
	}
	connection, err := grpc.NewClient(address, o.dialOptions()...)
	if err != nil {
		return nil, err
	}
	return &Client{
		connection: connection,
		gateway:    pb.NewGatewayServiceClient(connection),
		models:     pb.NewModelServiceClient(connection),
		timeout:    o.timeout,
	}, nil
}

func (o *options) dialOptions() []grpc.DialOption {
	transport := insecure.NewCredentials()
	if o.tls != nil {
		transport = credentials.NewTLS(o.tls)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithUserAgent("interlingua-go"),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes),
			grpc.MaxRetryRPCBufferSize(maxMessageBytes),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if o.token != nil {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer{o.token}))
	}
	return append(dial, o.dial...)
}

type bearer struct{ token TokenSource }

func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := b.token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// Gateways on Unix sockets and beside their callers speak plain text.
func (bearer) RequireTransportSecurity() bool { return false }

// Close ends the connection and the calls on it.
func (c *Client) Close() error { return c.connection.Close() }

// Conn is the connection, for stubs of the services that have no method here.
func (c *Client) Conn() grpc.ClientConnInterface { return c.connection }

// WithTraceparent lets the calls of a context continue a W3C trace context. Not needed where an
// OpenTelemetry stats handler does so.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "traceparent", traceparent)
}

// bound gives ctx a deadline if it has none.
func (c *Client) bound(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	if c.timeout > 0 {
		timeout = c.timeout
	}
	return context.WithTimeout(ctx, timeout)
}

// call makes a unary call of one of the stubs' methods.
func call[Q, A any](
	ctx context.Context, c *Client, timeout time.Duration,
	method func(context.Context, Q, ...grpc.CallOption) (A, error), request Q,
) (A, error) {
	ctx, cancel := c.bound(ctx, timeout)
	defer cancel()
	answer, err := method(ctx, request)
	if err != nil {
		var none A
		return none, fromGRPC(err)
	}
	return answer, nil
}

// Generate answers when the model has finished.
func (c *Client) Generate(ctx context.Context, request *pb.GenerateRequest) (*pb.GenerateResponse, error) {
	return call(ctx, c, answerTimeout, c.gateway.Generate, request)
}

// Embed turns texts into vectors; see Vectors.
func (c *Client) Embed(ctx context.Context, request *pb.EmbedRequest) (*pb.EmbedResponse, error) {
	return call(ctx, c, embedTimeout, c.gateway.Embed, request)
}

// CountTokens counts the input tokens that Generate would have.
func (c *Client) CountTokens(ctx context.Context, request *pb.GenerateRequest) (*pb.CountTokensResponse, error) {
	return call(ctx, c, countTimeout, c.gateway.CountTokens, &pb.CountTokensRequest{Request: request})
}

// Health tells how the gateway and its providers, or only the one that is named, are.
func (c *Client) Health(ctx context.Context, provider string) (*pb.HealthResponse, error) {
	return call(ctx, c, lookUpTimeout, c.gateway.Health, &pb.HealthRequest{Provider: provider})
}

// Model is one model.
func (c *Client) Model(ctx context.Context, name string) (*pb.Model, error) {
	found, err := call(ctx, c, lookUpTimeout, c.models.GetModel, &pb.GetModelRequest{Name: name})
	return found.GetModel(), err
}

// Models are all models that may be named.
func (c *Client) Models(ctx context.Context) ([]*pb.Model, error) {
	var models []*pb.Model
	request := &pb.ListModelsRequest{}
	for {
		page, err := call(ctx, c, lookUpTimeout, c.models.ListModels, request)
		if err != nil {
			return nil, err
		}
		models = append(models, page.GetModels()...)
		if page.GetNextPageToken() == "" {
			return models, nil
		}
		request = &pb.ListModelsRequest{PageToken: page.GetNextPageToken()}
	}
}
