#include "interlingua/stream.h"

#include <utility>

namespace interlingua {

bool EventSource::Advance() {
  event_ = stream_->Next();
  return event_ != nullptr;
}

bool TextSource::Advance() {
  while (EventSource::Advance()) {
    if (event_->candidate_index() == 0 && !event_->text_delta().empty()) return true;
  }
  return false;
}

Stream::Stream(std::unique_ptr<Wire> wire, std::unique_ptr<Reader> reader)
    : wire_(std::move(wire)), reader_(std::move(reader)) {}

Stream::~Stream() {
  if (reader_ == nullptr || ended_) return;
  Cancel();
  reader_->Finish();
}

const v1::StreamGenerateResponse* Stream::Next() {
  if (failure_) throw *failure_;
  if (ended_) return nullptr;
  if (reader_->Read(&event_)) {
    if (event_.sequence() != events_ || completed_) Break("an event was lost");
    ++events_;
    if (event_.has_completed()) completed_ = event_.completed();
    return &event_;
  }
  ended_ = true;
  const grpc::Status status = reader_->Finish();
  if (!status.ok()) Fail(events_ == 0 ? Error(status) : Error(status).CutOff());
  if (!completed_) Break("the stream ended without its last event");
  return nullptr;
}

void Stream::Break(const std::string& why) {
  if (!std::exchange(ended_, true)) {
    Cancel();
    reader_->Finish();
  }
  Fail(Error(grpc::Status(grpc::StatusCode::DATA_LOSS, why)));
}

void Stream::Fail(const Error& failure) {
  completed_.reset();
  failure_ = failure;
  throw failure;
}

namespace {

// The last part of `candidate` if `fits`, else a new one.
template <class Fits>
v1::Part* LastPart(v1::Candidate* candidate, Fits fits) {
  const int count = candidate->parts_size();
  if (count > 0 && fits(candidate->parts(count - 1))) return candidate->mutable_parts(count - 1);
  return candidate->add_parts();
}

void AddReasoning(v1::Candidate* candidate, const v1::ReasoningDelta& delta) {
  v1::Part* part = LastPart(candidate, [&](const v1::Part& last) {
    return last.has_reasoning() && last.reasoning().signature().empty() &&
           last.reasoning().redacted() == delta.redacted();
  });
  part->mutable_reasoning()->mutable_text()->append(delta.text());
  part->mutable_reasoning()->set_signature(delta.signature());
  part->mutable_reasoning()->set_redacted(delta.redacted());
}

void AddMedia(v1::Candidate* candidate, const v1::MediaDelta& delta) {
  if (delta.kind() != v1::MEDIA_DELTA_KIND_AUDIO) {
    *candidate->add_parts()->mutable_image() = delta.media();
    return;
  }
  v1::Part* part = LastPart(candidate, [](const v1::Part& last) { return last.has_audio(); });
  if (!part->has_audio()) {
    *part->mutable_audio() = delta.media();
  } else {
    part->mutable_audio()->mutable_data()->append(delta.media().data());
  }
}

}  // namespace

v1::Candidate* Assembly::CandidateOf(std::size_t index) {
  while (static_cast<std::size_t>(response_.candidates_size()) <= index) {
    response_.add_candidates()->set_index(
        static_cast<std::uint32_t>(response_.candidates_size() - 1));
  }
  return response_.mutable_candidates(static_cast<int>(index));
}

void Assembly::AddCall(std::uint32_t index, const v1::ToolCallDelta& delta) {
  v1::Candidate* candidate = CandidateOf(index);
  const auto [known, is_new] =
      calls_.try_emplace({index, delta.call_index()}, candidate->parts_size());
  v1::Part* part = is_new ? candidate->add_parts() : candidate->mutable_parts(known->second);
  v1::ToolCall* call = part->mutable_tool_call();
  if (call->id().empty()) call->set_id(delta.id());
  if (call->name().empty()) call->set_name(delta.name());
  call->mutable_arguments_json()->append(delta.arguments_json_fragment());
}

void Assembly::Add(const v1::StreamGenerateResponse& event) {
  using Kind = v1::StreamGenerateResponse;
  const std::uint32_t index = event.candidate_index();
  switch (event.event_case()) {
    case Kind::kStart:
      response_.set_operation_id(event.start().operation_id());
      *response_.mutable_answered_by() = event.start().answered_by();
      break;
    case Kind::kTextDelta:
      LastPart(CandidateOf(index), [](const v1::Part& last) { return last.has_text(); })
          ->mutable_text()
          ->append(event.text_delta());
      break;
    case Kind::kReasoningDelta:
      AddReasoning(CandidateOf(index), event.reasoning_delta());
      break;
    case Kind::kToolCallDelta:
      AddCall(index, event.tool_call_delta());
      break;
    case Kind::kMediaDelta:
      AddMedia(CandidateOf(index), event.media_delta());
      break;
    case Kind::kLogprobs:
      CandidateOf(index)->mutable_logprobs()->MergeFrom(event.logprobs().tokens());
      break;
    case Kind::kUsage:
      *response_.mutable_usage() = event.usage();
      break;
    case Kind::kAttempt:
      *response_.mutable_report()->add_attempts() = event.attempt();
      break;
    case Kind::kFinish:
      *CandidateOf(index)->mutable_finish() = event.finish();
      break;
    case Kind::kCompleted:
      *response_.mutable_usage() = event.completed().usage();
      if (event.completed().has_cost()) *response_.mutable_cost() = event.completed().cost();
      *response_.mutable_report() = event.completed().report();
      break;
    case Kind::EVENT_NOT_SET:
      break;
  }
}

}  // namespace interlingua
