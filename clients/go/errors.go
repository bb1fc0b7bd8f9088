package interlingua

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a call that failed. errors.As finds it; errors.Is finds context.Canceled and
// context.DeadlineExceeded in it.
type Error struct {
	Code    codes.Code
	Message string
	// Reason is the name of a value of the contract's ErrorReason (ERROR_REASON_RATE_LIMITED), empty if
	// the failure did not come from the gateway.
	Reason string
	// RetryAfter is how long the gateway asks to wait before the same call is sent again; nil if it
	// does not say.
	RetryAfter *time.Duration
	Violations []Violation
	Resource   *Resource
	// Metadata are further facts: operation_id, phase, events_sent and others that the contract lists.
	Metadata map[string]string

	status *status.Status
}

// Violation is one thing that stood in the way of a call: the path of a field, the subject of a quota or
// that of a precondition, and what is wrong with it.
type Violation struct {
	Subject     string
	Description string
}

// Resource is what an error is about, such as type model and name gpt.
type Resource struct {
	Type string
	Name string
}

func (e *Error) Error() string {
	if e.Reason != "" {
		return e.Reason + ": " + e.Message
	}
	return e.Code.String() + ": " + e.Message
}

// OperationID is the gateway's name for the call; empty if the call did not reach it.
func (e *Error) OperationID() string { return e.Metadata["operation_id"] }

// GRPCStatus lets status.FromError and status.Code see through the error.
func (e *Error) GRPCStatus() *status.Status {
	if e.status != nil {
		return e.status
	}
	return status.New(e.Code, e.Message)
}

// Is reports whether target is the context's error of the same meaning.
func (e *Error) Is(target error) bool {
	return e.Code == codes.Canceled && target == context.Canceled ||
		e.Code == codes.DeadlineExceeded && target == context.DeadlineExceeded
}

// ReasonOf is the Reason of the Error in err, if there is one.
func ReasonOf(err error) string {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Reason
	}
	return ""
}

func fromGRPC(err error) *Error { return fromStatus(status.Convert(err).Proto()) }

func fromStatus(proto *statuspb.Status) *Error {
	known := status.FromProto(proto)
	failure := &Error{Code: known.Code(), Message: known.Message(), status: known}
	for _, detail := range known.Details() {
		failure.read(detail)
	}
	return failure
}

func (e *Error) read(detail any) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		e.Reason, e.Metadata = detail.GetReason(), detail.GetMetadata()
	case *errdetails.RetryInfo:
		delay := detail.GetRetryDelay().AsDuration()
		e.RetryAfter = &delay
	case *errdetails.ResourceInfo:
		e.Resource = &Resource{Type: detail.GetResourceType(), Name: detail.GetResourceName()}
	case *errdetails.BadRequest:
		for _, one := range detail.GetFieldViolations() {
			e.Violations = append(e.Violations, Violation{one.GetField(), one.GetDescription()})
		}
	case *errdetails.QuotaFailure:
		for _, one := range detail.GetViolations() {
			e.Violations = append(e.Violations, Violation{one.GetSubject(), one.GetDescription()})
		}
	case *errdetails.PreconditionFailure:
		for _, one := range detail.GetViolations() {
			e.Violations = append(e.Violations, Violation{one.GetSubject(), one.GetDescription()})
		}
	}
}

// cutOff is what the failure means once a stream has begun: a connection that is lost then must not look
// like a call that can simply be sent again.
func (e *Error) cutOff() *Error {
	switch e.Code {
	case codes.Canceled, codes.DeadlineExceeded, codes.DataLoss:
		return e
	}
	if e.Reason != "" {
		return e
	}
	return &Error{Code: codes.Aborted, Message: e.Message}
}
