package interlingua

import (
	"strings"

	pb "interlingua.dev/go/interlingua/v1"
)

// assembly adds up the events of a stream to what Generate would have answered.
type assembly struct {
	answer     pb.GenerateResponse
	candidates []*candidate
}

// candidate is one in the making: its parts in the order in which they began.
type candidate struct {
	parts    []*part
	calls    map[uint32]*part
	logprobs []*pb.TokenLogprob
	finish   *pb.Finish
}

// part is one in the making; text and data are joined at the end.
type part struct {
	made *pb.Part
	text strings.Builder
	data []byte
}

func (a *assembly) add(event *pb.StreamGenerateResponse) {
	switch kind := event.GetEvent().(type) {
	case *pb.StreamGenerateResponse_Start:
		a.answer.OperationId = kind.Start.GetOperationId()
		a.answer.AnsweredBy = kind.Start.GetAnsweredBy()
	case *pb.StreamGenerateResponse_Usage:
		a.answer.Usage = kind.Usage
	case *pb.StreamGenerateResponse_Attempt:
		if a.answer.Report == nil {
			a.answer.Report = &pb.CallReport{}
		}
		a.answer.Report.Attempts = append(a.answer.Report.Attempts, kind.Attempt)
	case *pb.StreamGenerateResponse_Completed:
		a.answer.Usage = kind.Completed.GetUsage()
		a.answer.Cost = kind.Completed.GetCost()
		a.answer.Report = kind.Completed.GetReport()
	case nil:
	default:
		a.of(event.GetCandidateIndex()).add(event)
	}
}

func (a *assembly) of(index uint32) *candidate {
	for uint32(len(a.candidates)) <= index {
		a.candidates = append(a.candidates, &candidate{calls: map[uint32]*part{}})
	}
	return a.candidates[index]
}

func (a *assembly) response() *pb.GenerateResponse {
	response := &pb.GenerateResponse{
		OperationId: a.answer.OperationId,
		AnsweredBy:  a.answer.AnsweredBy,
		Usage:       a.answer.Usage,
		Cost:        a.answer.Cost,
		Report:      a.answer.Report,
	}
	for index, one := range a.candidates {
		made := &pb.Candidate{Index: uint32(index), Finish: one.finish, Logprobs: one.logprobs}
		for _, part := range one.parts {
			made.Parts = append(made.Parts, part.whole())
		}
		response.Candidates = append(response.Candidates, made)
	}
	return response
}

func (c *candidate) add(event *pb.StreamGenerateResponse) {
	switch kind := event.GetEvent().(type) {
	case *pb.StreamGenerateResponse_TextDelta:
		c.last(isText, &pb.Part{Content: &pb.Part_Text{}}).text.WriteString(kind.TextDelta)
	case *pb.StreamGenerateResponse_ReasoningDelta:
		c.addReasoning(kind.ReasoningDelta)
	case *pb.StreamGenerateResponse_ToolCallDelta:
		c.addCall(kind.ToolCallDelta)
	case *pb.StreamGenerateResponse_MediaDelta:
		c.addMedia(kind.MediaDelta)
	case *pb.StreamGenerateResponse_Logprobs:
		c.logprobs = append(c.logprobs, kind.Logprobs.GetTokens()...)
	case *pb.StreamGenerateResponse_Finish:
		c.finish = kind.Finish
	}
}

// last is the last part if it fits, else a new one that starts as empty.
func (c *candidate) last(fits func(*pb.Part) bool, empty *pb.Part) *part {
	if count := len(c.parts); count > 0 && fits(c.parts[count-1].made) {
		return c.parts[count-1]
	}
	made := &part{made: empty}
	c.parts = append(c.parts, made)
	return made
}

func isText(last *pb.Part) bool {
	_, ok := last.GetContent().(*pb.Part_Text)
	return ok
}

func never(*pb.Part) bool { return false }

func (c *candidate) addReasoning(delta *pb.ReasoningDelta) {
	open := func(last *pb.Part) bool {
		reasoning := last.GetReasoning()
		return reasoning != nil && len(reasoning.GetSignature()) == 0 &&
			reasoning.GetRedacted() == delta.GetRedacted()
	}
	thought := c.last(open, &pb.Part{Content: &pb.Part_Reasoning{Reasoning: &pb.Reasoning{}}})
	thought.text.WriteString(delta.GetText())
	thought.made.GetReasoning().Signature = delta.GetSignature()
	thought.made.GetReasoning().Redacted = delta.GetRedacted()
}

func (c *candidate) addCall(delta *pb.ToolCallDelta) {
	call, known := c.calls[delta.GetCallIndex()]
	if !known {
		call = c.last(never, &pb.Part{Content: &pb.Part_ToolCall{ToolCall: &pb.ToolCall{
			Id: delta.GetId(), Name: delta.GetName(),
		}}})
		c.calls[delta.GetCallIndex()] = call
	}
	call.text.WriteString(delta.GetArgumentsJsonFragment())
}

func (c *candidate) addMedia(delta *pb.MediaDelta) {
	if delta.GetKind() != pb.MediaDeltaKind_MEDIA_DELTA_KIND_AUDIO {
		c.last(never, &pb.Part{Content: &pb.Part_Image{Image: delta.GetMedia()}})
		return
	}
	isSound := func(last *pb.Part) bool { return last.GetAudio() != nil }
	sound := c.last(isSound, &pb.Part{Content: &pb.Part_Audio{Audio: &pb.Media{
		MimeType: delta.GetMedia().GetMimeType(),
	}}})
	sound.data = append(sound.data, delta.GetMedia().GetData()...)
}

func (p *part) whole() *pb.Part {
	switch kind := p.made.GetContent().(type) {
	case *pb.Part_Text:
		return &pb.Part{Content: &pb.Part_Text{Text: p.text.String()}}
	case *pb.Part_Reasoning:
		kind.Reasoning.Text = p.text.String()
	case *pb.Part_ToolCall:
		kind.ToolCall.ArgumentsJson = p.text.String()
	case *pb.Part_Audio:
		kind.Audio.Source = &pb.Media_Data{Data: p.data}
	}
	return p.made
}
