package interlingua

import (
	"context"
	"errors"
	"io"

	pb "interlingua.dev/go/interlingua/v1"

	"google.golang.org/grpc/codes"
)

// BatchResult is what became of one request of a batch: a response, or Err.
type BatchResult struct {
	Response *pb.GenerateResponse
	Err      error
}

// Batch answers several requests, in their order; what failed has its error in its place. The error is
// not nil only if the batch failed before its first result.
func (c *Client) Batch(ctx context.Context, request *pb.BatchGenerateRequest) ([]BatchResult, error) {
	ctx, cancel := c.bound(ctx, batchTimeout)
	defer cancel()
	stream, err := c.gateway.BatchGenerate(ctx, request)
	if err != nil {
		return nil, fromGRPC(err)
	}
	results := make([]BatchResult, len(request.GetRequests()))
	begun := false
	for {
		item, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return filled(results, &Error{Code: codes.DataLoss, Message: "no result was sent"}), nil
		}
		if err != nil && !begun {
			return nil, fromGRPC(err)
		}
		if err != nil {
			return filled(results, fromGRPC(err).cutOff()), nil
		}
		begun = true
		if index := int(item.GetIndex()); index < len(results) {
			results[index] = resultOf(item)
		}
	}
}

func resultOf(item *pb.BatchGenerateResponse) BatchResult {
	if status := item.GetError(); status != nil {
		return BatchResult{Err: fromStatus(status)}
	}
	return BatchResult{Response: item.GetResponse()}
}

// filled puts err where there is no result.
func filled(results []BatchResult, err *Error) []BatchResult {
	for index := range results {
		if results[index].Response == nil && results[index].Err == nil {
			results[index].Err = err
		}
	}
	return results
}
