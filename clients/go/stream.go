package interlingua

import (
	"context"
	"errors"
	"io"
	"iter"

	pb "interlingua.dev/go/interlingua/v1"

	"google.golang.org/grpc/codes"
)

// Stream is an answer as it comes, for one pass by one goroutine.
//
// A stream that did not reach its end yields an error, whatever came before. Leaving the loop ends the
// call at once, in the gateway and at the provider; so do Close and the context.
type Stream struct {
	client  *Client
	request *pb.GenerateRequest
	parent  context.Context
	cancel  context.CancelFunc
	events  pb.GatewayService_StreamGenerateClient

	assembly assembly
	next     uint64
	whole    *pb.StreamCompleted
	failure  *Error
	ended    bool
}

// Stream answers event by event. The call begins with the first event that is asked for.
func (c *Client) Stream(ctx context.Context, request *pb.GenerateRequest) *Stream {
	return &Stream{client: c, request: request, parent: ctx}
}

// Events are all events of the answer. An error is the last that it yields.
func (s *Stream) Events() iter.Seq2[*pb.StreamGenerateResponse, error] {
	return func(yield func(*pb.StreamGenerateResponse, error) bool) {
		defer s.Close()
		for {
			event, err := s.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Text is the text of the first candidate as it comes. An error is the last that it yields.
func (s *Stream) Text() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for event, err := range s.Events() {
			if err != nil {
				yield("", err)
				return
			}
			if text := event.GetTextDelta(); text != "" && event.GetCandidateIndex() == 0 {
				if !yield(text, nil) {
					return
				}
			}
		}
	}
}

// Next is the next event; io.EOF after the last one of a whole answer, and else how it failed, at every
// further call again. Whoever uses it must Close the stream.
func (s *Stream) Next() (*pb.StreamGenerateResponse, error) {
	if s.failure != nil {
		return nil, s.failure
	}
	if s.ended {
		return nil, io.EOF
	}
	if s.events == nil {
		if err := s.open(); err != nil {
			return nil, s.fail(fromGRPC(err))
		}
	}
	event, err := s.events.Recv()
	if errors.Is(err, io.EOF) {
		return nil, s.finish()
	}
	if err != nil {
		failure := fromGRPC(err)
		if s.next > 0 {
			failure = failure.cutOff()
		}
		return nil, s.fail(failure)
	}
	return s.add(event)
}

// Close ends the call if it still goes on.
func (s *Stream) Close() {
	if !s.ended && s.failure == nil {
		s.failure = &Error{Code: codes.Canceled, Message: "the stream was closed before its end"}
	}
	if s.cancel != nil {
		s.cancel()
	}
}

// Completed says what the whole call used, cost and met on its way; nil before the end.
func (s *Stream) Completed() *pb.StreamCompleted {
	if !s.ended {
		return nil
	}
	return s.whole
}

// Collect reads the rest and returns the whole answer.
func (s *Stream) Collect() (*pb.GenerateResponse, error) {
	for _, err := range s.Events() {
		if err != nil {
			return nil, err
		}
	}
	return s.Partial(), nil
}

// Partial is the answer as far as it has been read, whole or not.
func (s *Stream) Partial() *pb.GenerateResponse { return s.assembly.response() }

func (s *Stream) open() error {
	ctx, cancel := s.client.bound(s.parent, answerTimeout)
	s.cancel = cancel
	events, err := s.client.gateway.StreamGenerate(ctx, s.request)
	s.events = events
	return err
}

func (s *Stream) add(event *pb.StreamGenerateResponse) (*pb.StreamGenerateResponse, error) {
	if event.GetSequence() != s.next || s.whole != nil {
		return nil, s.fail(&Error{Code: codes.DataLoss, Message: "an event was lost"})
	}
	s.next++
	s.assembly.add(event)
	s.whole = event.GetCompleted()
	return event, nil
}

func (s *Stream) finish() error {
	if s.whole == nil {
		return s.fail(&Error{Code: codes.DataLoss, Message: "the stream ended without its last event"})
	}
	s.ended = true
	s.cancel()
	return io.EOF
}

func (s *Stream) fail(failure *Error) error {
	s.failure = failure
	s.cancel()
	return failure
}
