package interlingua

import (
	"slices"
	"testing"

	pb "interlingua.dev/go/interlingua/v1"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func TestMessagesTakeTextsAndParts(t *testing.T) {
	message := User("What is this?", ImageBytes([]byte("\x89PNG"), "image/png"), ImageURI("https://x/y.png"))
	want := &pb.Message{}
	if err := protojson.Unmarshal([]byte(`{"role": "ROLE_USER", "parts": [
		{"text": "What is this?"},
		{"image": {"mimeType": "image/png", "data": "iVBORw=="}},
		{"image": {"uri": "https://x/y.png"}}]}`), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(message, want) {
		t.Error(message)
	}
}

func TestToolResultsNameTheirCall(t *testing.T) {
	call := &pb.ToolCall{Id: "c1", Name: "weather"}
	result := ToolFailure(call, "No such city.").GetParts()[0].GetToolResult()
	if result.GetToolCallId() != "c1" || result.GetName() != "weather" || !result.GetIsError() ||
		result.GetParts()[0].GetText() != "No such city." {
		t.Error(result)
	}
}

func TestSchemasAreTextOrValues(t *testing.T) {
	for _, schema := range []any{`{"type":"object"}`, map[string]string{"type": "object"}} {
		tool, err := Tool("weather", "", schema)
		if err != nil || tool.GetParametersJsonSchema() != `{"type":"object"}` {
			t.Error(tool, err)
		}
	}
	if _, err := JSONSchema("x", func() {}); err == nil {
		t.Error("a function is no schema")
	}
}

func TestStructuredAnswersAreValues(t *testing.T) {
	answer := &pb.GenerateResponse{Candidates: []*pb.Candidate{{
		Parts: []*pb.Part{Text(`{"name":`), Text(`"Ulm"}`)},
	}}}
	type city struct{ Name string }
	if got, err := As[city](answer); err != nil || got.Name != "Ulm" {
		t.Error(got, err)
	}
	if _, err := As[[]int](answer); err == nil {
		t.Error("an object is no list")
	}
}

func TestVectorsComeAsNumbersOrBytes(t *testing.T) {
	response := &pb.EmbedResponse{Embeddings: []*pb.Embedding{
		{Values: []float32{1.5, -2}}, {Float32Le: []byte{0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}},
	}}
	for _, vector := range Vectors(response) {
		if !slices.Equal(vector, []float32{1.5, -2}) {
			t.Error(vector)
		}
	}
}

func TestEventsAddUpToAnAnswer(t *testing.T) {
	var sum assembly
	for _, text := range []string{
		`{"start": {"operationId": "op_1"}}`,
		`{"reasoningDelta": {"text": "Let me"}}`, `{"reasoningDelta": {"text": " see."}}`,
		`{"reasoningDelta": {"signature": "c2ln"}}`,
		`{"textDelta": "Hel"}`, `{"textDelta": "lo"}`,
		`{"toolCallDelta": {"callIndex": 0, "id": "c0", "argumentsJsonFragment": "{\"a\":"}}`,
		`{"toolCallDelta": {"callIndex": 1, "id": "c1", "argumentsJsonFragment": "{}"}}`,
		`{"toolCallDelta": {"callIndex": 0, "argumentsJsonFragment": "1}"}}`,
		`{"mediaDelta": {"kind": "MEDIA_DELTA_KIND_AUDIO", "media": {"mimeType": "audio/wav", "data": "YQ=="}}}`,
		`{"mediaDelta": {"kind": "MEDIA_DELTA_KIND_AUDIO", "media": {"data": "Yg=="}}}`,
		`{"candidateIndex": 1, "textDelta": "Hi"}`,
		`{"finish": {"reason": "FINISH_REASON_TOOL_CALLS"}}`,
		`{"completed": {"usage": {"outputTokens": 9}}}`,
	} {
		event := &pb.StreamGenerateResponse{}
		if err := protojson.Unmarshal([]byte(text), event); err != nil {
			t.Fatal(err)
		}
		sum.add(event)
	}
	want := &pb.GenerateResponse{}
	if err := protojson.Unmarshal([]byte(`{
		"operationId": "op_1", "usage": {"outputTokens": 9},
		"candidates": [
			{"parts": [
				{"reasoning": {"text": "Let me see.", "signature": "c2ln"}},
				{"text": "Hello"},
				{"toolCall": {"id": "c0", "argumentsJson": "{\"a\":1}"}},
				{"toolCall": {"id": "c1", "argumentsJson": "{}"}},
				{"audio": {"mimeType": "audio/wav", "data": "YWI="}}],
			 "finish": {"reason": "FINISH_REASON_TOOL_CALLS"}},
			{"index": 1, "parts": [{"text": "Hi"}]}]}`), want); err != nil {
		t.Fatal(err)
	}
	if got := sum.response(); !proto.Equal(got, want) {
		t.Error(got)
	}
}
