package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	interlingua "interlingua.dev/go"
	pb "interlingua.dev/go/interlingua/v1"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

var operations = map[string]func(*run) observed{
	"generate": generate, "stream": stream, "embed": embed, "batch": batch, "count_tokens": countTokens,
	"health": health, "list_models": listModels, "build": build, "watch": watch, "restart": restart,
	"drain": drain,
}

func generate(r *run) observed {
	return r.times(func(ctx context.Context) (observed, error) {
		answer, err := r.client.Generate(ctx, decode(r, &pb.GenerateRequest{}))
		return observed{"response": encoded(answer), "text": interlingua.TextOf(answer)}, err
	})
}

// seen is what has come of a stream.
type seen struct {
	events [][]byte
	text   string
}

func (s *seen) add(event *pb.StreamGenerateResponse) {
	s.events = append(s.events, encoded(event))
	if event.GetCandidateIndex() == 0 {
		s.text += event.GetTextDelta()
	}
}

func stream(r *run) observed {
	var told observed
	for range max(1, r.Options.Calls) {
		ctx, cancel := r.context()
		told = readEvents(r, r.client.Stream(ctx, decode(r, &pb.GenerateRequest{})))
		cancel()
	}
	return told
}

func readEvents(r *run, stream *interlingua.Stream) observed {
	all := seen{events: [][]byte{}}
	var failed error
	left := false
	for event, err := range stream.Events() {
		if err != nil {
			failed = err
			break
		}
		all.add(event)
		if len(all.events) == r.Options.LeaveAfterEvents {
			left = true
			break
		}
	}
	told := observed{"events": all.events, "text": all.text}
	if left {
		told["cancelled"] = true
	}
	return r.told(told, failed)
}

func embed(r *run) observed {
	return r.times(func(ctx context.Context) (observed, error) {
		answer, err := r.client.Embed(ctx, decode(r, &pb.EmbedRequest{}))
		vectors := [][]byte{}
		for _, vector := range interlingua.Vectors(answer) {
			var data bytes.Buffer
			must(binary.Write(&data, binary.LittleEndian, vector))
			vectors = append(vectors, data.Bytes())
		}
		return observed{"response": encoded(answer), "vectors": vectors}, err
	})
}

func batch(r *run) observed {
	return r.times(func(ctx context.Context) (observed, error) {
		results, err := r.client.Batch(ctx, decode(r, &pb.BatchGenerateRequest{}))
		told := []observed{}
		for _, one := range results {
			if one.Err != nil {
				told = append(told, observed{"error": failure(one.Err)})
			} else {
				told = append(told, observed{"response": encoded(one.Response)})
			}
		}
		return observed{"results": told}, err
	})
}

func countTokens(r *run) observed {
	return r.times(func(ctx context.Context) (observed, error) {
		request := decode(r, &pb.CountTokensRequest{}).GetRequest()
		answer, err := r.client.CountTokens(ctx, request)
		return observed{"response": encoded(answer)}, err
	})
}

func health(r *run) observed {
	return r.times(func(ctx context.Context) (observed, error) {
		answer, err := r.client.Health(ctx, decode(r, &pb.HealthRequest{}).GetProvider())
		return observed{"response": encoded(answer)}, err
	})
}

func listModels(r *run) observed {
	return r.times(func(ctx context.Context) (observed, error) {
		models, err := r.client.Models(ctx)
		names := []string{}
		for _, model := range models {
			names = append(names, model.GetName())
		}
		return observed{"models": names}, err
	})
}

func build(*run) observed {
	picture := interlingua.ImageBytes([]byte{0x89, 'P', 'N', 'G'}, "image/png")
	picture.GetImage().Detail = pb.MediaDetail_MEDIA_DETAIL_HIGH
	call := &pb.ToolCall{Id: "call_1", Name: "lookup", ArgumentsJson: `{"animal":"fox"}`}
	object := func(member string) map[string]any {
		return map[string]any{
			"type":       "object",
			"properties": map[string]any{member: map[string]string{"type": "string"}},
			"required":   []string{member},
		}
	}
	tool, err := interlingua.Tool("lookup", "Looks up an animal.", object("animal"))
	must(err)
	format, err := interlingua.JSONSchema("animal", object("name"))
	must(err)
	request := interlingua.Request("any",
		interlingua.System("Be brief."),
		interlingua.User("What is this? 🦊", picture),
		interlingua.User("", interlingua.ImageURI("https://example.org/fox.jpg")),
		interlingua.Assistant("", interlingua.Call(call)),
		interlingua.ToolResult(call, "Vulpes vulpes"),
	)
	request.Tools = []*pb.Tool{tool}
	request.ResponseFormat = format
	temperature, limit := 0.5, uint32(100)
	request.Sampling = &pb.SamplingOptions{Temperature: &temperature, MaxOutputTokens: &limit}
	return observed{"request": encoded(request)}
}

func watch(r *run) observed {
	stub := grpc_health_v1.NewHealthClient(r.client.Conn())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := stub.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	must(err)
	statuses := []string{}
	for {
		response, err := stream.Recv()
		if err != nil {
			break
		}
		statuses = append(statuses, response.GetStatus().String())
		if len(statuses) == 1 {
			pause("watching")
		}
	}
	return observed{"statuses": statuses, "again": firstStatus(stub)}
}

func firstStatus(stub grpc_health_v1.HealthClient) string {
	var last error
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		stream, err := stub.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err == nil {
			var response *grpc_health_v1.HealthCheckResponse
			if response, err = stream.Recv(); err == nil {
				cancel()
				return response.GetStatus().String()
			}
		}
		cancel()
		if status.Code(err) != codes.Unavailable {
			panic(err)
		}
		last = err
		time.Sleep(200 * time.Millisecond)
	}
	panic(last)
}

func restart(r *run) observed {
	before := generate(r)
	pause("restart")
	return observed{"before": before, "after": generate(r)}
}

func drain(r *run) observed {
	request := decode(r, &pb.GenerateRequest{})
	streams := make([]*interlingua.Stream, r.Options.Streams)
	all := make([]seen, len(streams))
	for index := range streams {
		ctx, cancel := r.context()
		defer cancel()
		streams[index] = r.client.Stream(ctx, request)
		event, err := streams[index].Next()
		must(err)
		all[index].add(event)
	}
	pause("streaming")
	told := []observed{}
	for index, stream := range streams {
		err := rest(stream, &all[index])
		told = append(told, r.told(observed{"text": all[index].text}, err))
	}
	pause("drained")
	calls := []observed{}
	for range max(1, r.Options.Calls) {
		ctx, cancel := r.context()
		answer, err := r.client.Generate(ctx, request)
		cancel()
		calls = append(calls, r.told(observed{"text": interlingua.TextOf(answer)}, err))
	}
	return observed{"streams": told, "calls": calls}
}

func rest(stream *interlingua.Stream, all *seen) error {
	defer stream.Close()
	for {
		event, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		all.add(event)
	}
}
