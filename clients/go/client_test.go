package interlingua_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	interlingua "interlingua.dev/go"
	pb "interlingua.dev/go/interlingua/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

type writer = grpc.ServerStreamingServer[pb.StreamGenerateResponse]

// gateway is a server of gRPC's own in this process; its methods are the test's functions.
type gateway struct {
	pb.UnimplementedGatewayServiceServer
	generate func(calls int) error
	stream   func(writer) error
	batch    func(grpc.ServerStreamingServer[pb.BatchGenerateResponse]) error

	calls    int
	metadata metadata.MD
}

func (g *gateway) Generate(ctx context.Context, request *pb.GenerateRequest) (*pb.GenerateResponse, error) {
	g.calls++
	g.metadata, _ = metadata.FromIncomingContext(ctx)
	if g.generate != nil {
		if err := g.generate(g.calls); err != nil {
			return nil, err
		}
	}
	parts := request.GetMessages()[0].GetParts()
	return &pb.GenerateResponse{Candidates: []*pb.Candidate{{Parts: parts}}}, nil
}

func (g *gateway) StreamGenerate(_ *pb.GenerateRequest, stream writer) error { return g.stream(stream) }

func (g *gateway) BatchGenerate(
	_ *pb.BatchGenerateRequest, stream grpc.ServerStreamingServer[pb.BatchGenerateResponse],
) error {
	return g.batch(stream)
}

// serve starts the gateway on a Unix socket and makes a client of it.
func serve(t *testing.T, g *gateway, choices ...interlingua.Option) *interlingua.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterGatewayServiceServer(server, g)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client, err := interlingua.New("unix:"+path, choices...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func say(stream writer, sequence uint64, text string) {
	_ = stream.Send(&pb.StreamGenerateResponse{
		Sequence: sequence, Event: &pb.StreamGenerateResponse_TextDelta{TextDelta: text},
	})
}

func complete(stream writer, sequence uint64) {
	_ = stream.Send(&pb.StreamGenerateResponse{
		Sequence: sequence, Event: &pb.StreamGenerateResponse_Completed{
			Completed: &pb.StreamCompleted{Usage: &pb.Usage{OutputTokens: 2}},
		},
	})
}

func TestSendsCredentialsAndTraceContext(t *testing.T) {
	g := &gateway{}
	client := serve(t, g, interlingua.WithAPIKey("il_1_x"))
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	answer, err := client.Generate(
		interlingua.WithTraceparent(t.Context(), trace), interlingua.Prompt("Hi"))
	if err != nil || interlingua.TextOf(answer) != "Hi" {
		t.Fatal(answer, err)
	}
	if got := g.metadata.Get("authorization"); len(got) != 1 || got[0] != "Bearer il_1_x" {
		t.Error(got)
	}
	if got := g.metadata.Get("traceparent"); len(got) != 1 || got[0] != trace {
		t.Error(got)
	}
}

func TestAsksItsTokenSourceBeforeEveryCall(t *testing.T) {
	g := &gateway{}
	tokens := []string{"one", "two"}
	client := serve(t, g, interlingua.WithTokenSource(func(context.Context) (string, error) {
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	}))
	for _, want := range []string{"Bearer one", "Bearer two"} {
		if _, err := client.Generate(t.Context(), interlingua.Prompt("Hi")); err != nil {
			t.Fatal(err)
		}
		if got := g.metadata.Get("authorization")[0]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSendsAgainWhatWasUnavailable(t *testing.T) {
	client := serve(t, &gateway{generate: func(calls int) error {
		if calls < 3 {
			return status.Error(codes.Unavailable, "not yet")
		}
		return nil
	}})
	if _, err := client.Generate(t.Context(), interlingua.Prompt("Hi")); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsCarryTheirDetails(t *testing.T) {
	told, _ := status.New(codes.ResourceExhausted, "Too many requests.").WithDetails(
		&errdetails.ErrorInfo{
			Reason: "ERROR_REASON_RATE_LIMITED", Metadata: map[string]string{"operation_id": "op_1"},
		},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(2500 * time.Millisecond)},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{
			{Subject: "tenant:acme", Description: "600 a minute"},
		}},
		&errdetails.ResourceInfo{ResourceType: "model", ResourceName: "gpt"},
	)
	client := serve(t, &gateway{generate: func(int) error { return told.Err() }})
	_, err := client.Generate(t.Context(), interlingua.Prompt("Hi"))
	var failure *interlingua.Error
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	if failure.Error() != "ERROR_REASON_RATE_LIMITED: Too many requests." ||
		failure.Code != codes.ResourceExhausted || status.Code(err) != codes.ResourceExhausted {
		t.Error(failure)
	}
	if failure.RetryAfter == nil || *failure.RetryAfter != 2500*time.Millisecond {
		t.Error(failure.RetryAfter)
	}
	if len(failure.Violations) != 1 || failure.Violations[0].Subject != "tenant:acme" {
		t.Error(failure.Violations)
	}
	if failure.Resource == nil || failure.Resource.Name != "gpt" || failure.OperationID() != "op_1" {
		t.Error(failure.Resource, failure.Metadata)
	}
}

func TestStreamsText(t *testing.T) {
	client := serve(t, &gateway{stream: func(stream writer) error {
		say(stream, 0, "Hel")
		say(stream, 1, "lo")
		complete(stream, 2)
		return nil
	}})
	stream := client.Stream(t.Context(), interlingua.Prompt("Hi"))
	var text string
	for delta, err := range stream.Text() {
		if err != nil {
			t.Fatal(err)
		}
		text += delta
	}
	if text != "Hello" || stream.Completed().GetUsage().GetOutputTokens() != 2 {
		t.Error(text, stream.Completed())
	}
	if got := interlingua.TextOf(stream.Partial()); got != "Hello" {
		t.Error(got)
	}
}

func TestABrokenStreamNeverLooksWhole(t *testing.T) {
	for name, one := range map[string]struct {
		script func(writer) error
		want   codes.Code
	}{
		"lost connection": {func(stream writer) error {
			say(stream, 0, "Hel")
			return status.Error(codes.Unavailable, "connection reset")
		}, codes.Aborted},
		"no last event": {func(stream writer) error { say(stream, 0, "Hel"); return nil }, codes.DataLoss},
		"a gap": {func(stream writer) error {
			say(stream, 0, "Hel")
			complete(stream, 2)
			return nil
		}, codes.DataLoss},
		"a late failure": {func(stream writer) error {
			complete(stream, 0)
			return status.Error(codes.Internal, "late")
		}, codes.Aborted},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, &gateway{stream: one.script})
			stream := client.Stream(t.Context(), interlingua.Prompt("Hi"))
			_, err := stream.Collect()
			if status.Code(err) != one.want || stream.Completed() != nil {
				t.Error(err, stream.Completed())
			}
			if _, again := stream.Next(); again != err {
				t.Error(again)
			}
		})
	}
}

func TestLeavingTheLoopCancelsTheCall(t *testing.T) {
	left := make(chan error)
	client := serve(t, &gateway{stream: func(stream writer) error {
		say(stream, 0, "Hel")
		<-stream.Context().Done()
		left <- stream.Context().Err()
		return nil
	}})
	for text, err := range client.Stream(t.Context(), interlingua.Prompt("Hi")).Text() {
		if text != "Hel" || err != nil {
			t.Error(text, err)
		}
		break
	}
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheContextEndsAStreamThatIsWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, &gateway{stream: func(stream writer) error {
		cancel()
		<-stream.Context().Done()
		return nil
	}})
	if _, err := client.Stream(ctx, interlingua.Prompt("Hi")).Collect(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	short, release := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer release()
	if _, err := client.Stream(short, interlingua.Prompt("Hi")).Collect(); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestABatchKeepsItsOrderAndItsFailures(t *testing.T) {
	client := serve(t, &gateway{batch: func(stream grpc.ServerStreamingServer[pb.BatchGenerateResponse]) error {
		_ = stream.Send(&pb.BatchGenerateResponse{Index: 1, Result: &pb.BatchGenerateResponse_Response{
			Response: &pb.GenerateResponse{OperationId: "second"},
		}})
		_ = stream.Send(&pb.BatchGenerateResponse{Index: 0, Result: &pb.BatchGenerateResponse_Error{
			Error: &statuspb.Status{Code: int32(codes.InvalidArgument)},
		}})
		return status.Error(codes.Unavailable, "connection lost")
	}})
	one := interlingua.Prompt("Hi")
	results, err := client.Batch(t.Context(), &pb.BatchGenerateRequest{Requests: []*pb.GenerateRequest{one, one, one}})
	if err != nil || len(results) != 3 {
		t.Fatal(results, err)
	}
	if status.Code(results[0].Err) != codes.InvalidArgument ||
		results[1].Response.GetOperationId() != "second" || status.Code(results[2].Err) != codes.Aborted {
		t.Error(results)
	}
}

func TestAMethodThatTheGatewayLacksIsAnError(t *testing.T) {
	if _, err := serve(t, &gateway{}).Models(t.Context()); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}
