package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// raw passes message bytes through; the server sees ordinary protobuf.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	into := v.(*[]byte)
	*into = append((*into)[:0], data...)
	return nil
}

// marker is the text of one token of the mock upstream.
var marker = []byte("lorem")

type grpcCaller struct {
	channel        *grpc.ClientConn
	method         string
	request, reply []byte
	metadata       metadata.MD
	stream         bool
	leastBytes     int
}

func (c *grpcCaller) call(ctx context.Context, got sink) error {
	ctx = metadata.NewOutgoingContext(ctx, c.metadata)
	if !c.stream {
		if err := c.channel.Invoke(ctx, c.method, &c.request, &c.reply); err != nil {
			return err
		}
		got(bytes.Count(c.reply, marker))
		if len(c.reply) < c.leastBytes {
			return fmt.Errorf("short answer of %d bytes", len(c.reply))
		}
		return nil
	}
	stream, err := c.channel.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, c.method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&c.request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for any := false; ; {
		switch err := stream.RecvMsg(&c.reply); {
		case errors.Is(err, io.EOF) && !any:
			return errors.New("a stream without a token")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if tokens := bytes.Count(c.reply, marker); tokens > 0 {
			any = true
			got(tokens)
		}
	}
}

// dial makes one caller for each call that is to be in flight.
func dial(o *options, body []byte) []caller {
	callers := make([]caller, o.callers)
	if o.protocol == "http" {
		for i := range callers {
			callers[i] = newHTTPCaller(o, body)
		}
		return callers
	}
	pairs := metadata.MD{}
	for _, h := range o.headers {
		name, value, _ := strings.Cut(h, ": ")
		pairs.Append(name, value)
	}
	channels := make([]*grpc.ClientConn, min(o.connections, o.callers))
	for i := range channels {
		channel, err := grpc.NewClient("passthrough:///"+o.address,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.WaitForReady(true),
				grpc.MaxCallRecvMsgSize(64<<20)))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		channels[i] = channel
	}
	for i := range callers {
		callers[i] = &grpcCaller{channel: channels[i%len(channels)], method: o.path, request: body,
			metadata: pairs, stream: o.stream, leastBytes: o.leastBytes}
	}
	return callers
}
