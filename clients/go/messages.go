package interlingua

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	pb "interlingua.dev/go/interlingua/v1"
)

// Prompt is a request to the gateway's default model with one message of the user.
func Prompt(text string) *pb.GenerateRequest { return Request("", User(text)) }

// Request is a request to a model, by its alias; empty means the gateway's default.
func Request(model string, messages ...*pb.Message) *pb.GenerateRequest {
	return &pb.GenerateRequest{Model: model, Messages: messages}
}

// System is a message with instructions that stand above the conversation.
func System(text string) *pb.Message { return message(pb.Role_ROLE_SYSTEM, text, nil) }

// User is a message of the person or program that asks: a text, if it is not empty, and further parts.
func User(text string, parts ...*pb.Part) *pb.Message {
	return message(pb.Role_ROLE_USER, text, parts)
}

// Assistant is a message of the model. To continue from an answer, send its Message back instead.
func Assistant(text string, parts ...*pb.Part) *pb.Message {
	return message(pb.Role_ROLE_ASSISTANT, text, parts)
}

// ToolResult is a message with what a tool returned for a call.
func ToolResult(call *pb.ToolCall, text string) *pb.Message { return toolResult(call, text, false) }

// ToolFailure is a message that says how a tool failed.
func ToolFailure(call *pb.ToolCall, text string) *pb.Message { return toolResult(call, text, true) }

func toolResult(call *pb.ToolCall, text string, failed bool) *pb.Message {
	result := &pb.ToolResult{
		ToolCallId: call.GetId(), Name: call.GetName(), Parts: []*pb.Part{Text(text)}, IsError: failed,
	}
	return message(pb.Role_ROLE_TOOL, "", []*pb.Part{{Content: &pb.Part_ToolResult{ToolResult: result}}})
}

func message(role pb.Role, text string, parts []*pb.Part) *pb.Message {
	if text != "" {
		parts = append([]*pb.Part{Text(text)}, parts...)
	}
	return &pb.Message{Role: role, Parts: parts}
}

// Text is a part of a message.
func Text(text string) *pb.Part { return &pb.Part{Content: &pb.Part_Text{Text: text}} }

// ImageBytes is a picture by its bytes.
func ImageBytes(data []byte, mimeType string) *pb.Part {
	return image(&pb.Media{MimeType: mimeType, Source: &pb.Media_Data{Data: data}})
}

// ImageURI is a picture by a URI that the provider can fetch.
func ImageURI(uri string) *pb.Part {
	return image(&pb.Media{Source: &pb.Media_Uri{Uri: uri}})
}

func image(media *pb.Media) *pb.Part { return &pb.Part{Content: &pb.Part_Image{Image: media}} }

// Call is a tool call that the model has made, for conversations that are told again.
func Call(call *pb.ToolCall) *pb.Part {
	return &pb.Part{Content: &pb.Part_ToolCall{ToolCall: call}}
}

// Tool is a function that the model may call. schema is the JSON Schema of its arguments: JSON text, or
// a value that is encoded as JSON; nil for none.
func Tool(name, description string, schema any) (*pb.Tool, error) {
	text, err := jsonText(schema)
	return &pb.Tool{Name: name, Description: description, ParametersJsonSchema: text}, err
}

// JSONSchema is the response format of a JSON value that satisfies schema: JSON text, or a value that is
// encoded as JSON. The provider is asked to hold the answer to it.
func JSONSchema(name string, schema any) (*pb.ResponseFormat, error) {
	text, err := jsonText(schema)
	strict := true
	format := &pb.JsonSchemaFormat{Name: name, SchemaJson: text, Strict: &strict}
	return &pb.ResponseFormat{Format: &pb.ResponseFormat_JsonSchema{JsonSchema: format}}, err
}

func jsonText(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// TextOf is the text of an answer's first candidate, joined.
func TextOf(response *pb.GenerateResponse) string {
	var text strings.Builder
	for _, part := range first(response).GetParts() {
		text.WriteString(part.GetText())
	}
	return text.String()
}

// ReasoningOf is what the model shows of its reasoning for the first candidate, joined.
func ReasoningOf(response *pb.GenerateResponse) string {
	var text strings.Builder
	for _, part := range first(response).GetParts() {
		text.WriteString(part.GetReasoning().GetText())
	}
	return text.String()
}

// ToolCallsOf are the calls that the first candidate wants made.
func ToolCallsOf(response *pb.GenerateResponse) []*pb.ToolCall {
	var calls []*pb.ToolCall
	for _, part := range first(response).GetParts() {
		if call := part.GetToolCall(); call != nil {
			calls = append(calls, call)
		}
	}
	return calls
}

// MessageOf is the first candidate as a message, to be appended to the conversation when it goes on.
func MessageOf(response *pb.GenerateResponse) *pb.Message {
	return &pb.Message{Role: pb.Role_ROLE_ASSISTANT, Parts: first(response).GetParts()}
}

func first(response *pb.GenerateResponse) *pb.Candidate {
	if candidates := response.GetCandidates(); len(candidates) > 0 {
		return candidates[0]
	}
	return nil
}

// As decodes a structured answer into a T. Members that T does not have are ignored, as encoding/json
// does.
func As[T any](response *pb.GenerateResponse) (T, error) {
	var value T
	if err := json.Unmarshal([]byte(TextOf(response)), &value); err != nil {
		return value, fmt.Errorf("the answer is not the JSON that was asked for: %w", err)
	}
	return value, nil
}

// EmbedTexts is a request for the vectors of texts, asked for as bytes, which no side has to take apart.
func EmbedTexts(model string, texts ...string) *pb.EmbedRequest {
	request := &pb.EmbedRequest{
		Model: model, Encoding: pb.EmbeddingEncoding_EMBEDDING_ENCODING_FLOAT32_LE,
	}
	for _, text := range texts {
		request.Inputs = append(request.Inputs, &pb.EmbedInput{Input: &pb.EmbedInput_Text{Text: text}})
	}
	return request
}

// Vectors are the numbers of an EmbedResponse, one vector for each input, in whichever form they came.
func Vectors(response *pb.EmbedResponse) [][]float32 {
	vectors := make([][]float32, 0, len(response.GetEmbeddings()))
	for _, embedding := range response.GetEmbeddings() {
		values := embedding.GetValues()
		if len(values) == 0 {
			values = floats(embedding.GetFloat32Le())
		}
		vectors = append(vectors, values)
	}
	return vectors
}

func floats(data []byte) []float32 {
	values := make([]float32, 0, len(data)/4)
	for ; len(data) >= 4; data = data[4:] {
		values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	return values
}
