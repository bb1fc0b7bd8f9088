#include "interlingua/messages.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "interlingua/stream.h"

namespace interlingua {
namespace {

using google::protobuf::util::MessageDifferencer;

TEST(Messages, TakeTextsAndParts) {
  const auto request = Request("m", System("Be brief."),
                               User("What is this?", ImageBytes("\x89PNG", "image/png"),
                                    ImageUri("https://example.com/a.png")));
  EXPECT_EQ(request.model(), "m");
  ASSERT_EQ(request.messages_size(), 2);
  EXPECT_EQ(request.messages(0).role(), v1::ROLE_SYSTEM);
  EXPECT_EQ(request.messages(0).parts(0).text(), "Be brief.");
  const auto& user = request.messages(1);
  EXPECT_EQ(user.role(), v1::ROLE_USER);
  ASSERT_EQ(user.parts_size(), 3);
  EXPECT_EQ(user.parts(0).text(), "What is this?");
  EXPECT_EQ(user.parts(1).image().data(), "\x89PNG");
  EXPECT_EQ(user.parts(1).image().mime_type(), "image/png");
  EXPECT_EQ(user.parts(2).image().uri(), "https://example.com/a.png");
}

TEST(Messages, ToolResultsNameTheirCall) {
  v1::ToolCall call;
  call.set_id("c1");
  call.set_name("weather");
  const auto message = ToolResult(call, "No such city.", true);
  EXPECT_EQ(message.role(), v1::ROLE_TOOL);
  const auto& result = message.parts(0).tool_result();
  EXPECT_EQ(result.tool_call_id(), "c1");
  EXPECT_EQ(result.name(), "weather");
  EXPECT_TRUE(result.is_error());
  EXPECT_EQ(result.parts(0).text(), "No such city.");
}

TEST(Messages, JsonBecomesTheCallersOwnType) {
  const auto usage = FromJson<v1::Usage>(R"({"inputTokens": "7", "estimated": true})");
  EXPECT_EQ(usage.input_tokens(), 7);
  EXPECT_TRUE(usage.estimated());
  EXPECT_THROW((void)FromJson<v1::Usage>(R"({"unknown": 1})"), std::invalid_argument);
  EXPECT_THROW((void)FromJson<v1::Usage>("{"), std::invalid_argument);
}

TEST(Messages, VectorsComeAsNumbersOrBytes) {
  v1::Embedding numbers;
  numbers.add_values(1.5F);
  numbers.add_values(-2.0F);
  v1::Embedding bytes;
  bytes.set_float32_le(std::string("\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8));
  EXPECT_EQ(ValuesOf(numbers), (std::vector<float>{1.5F, -2.0F}));
  EXPECT_EQ(ValuesOf(bytes), ValuesOf(numbers));
}

TEST(Messages, ReadersOfAnEmptyAnswerFindNothing) {
  const v1::GenerateResponse empty;
  EXPECT_EQ(TextOf(empty), "");
  EXPECT_TRUE(ToolCallsOf(empty).empty());
  EXPECT_EQ(MessageOf(empty).parts_size(), 0);
}

v1::StreamGenerateResponse Event(std::uint32_t candidate = 0) {
  v1::StreamGenerateResponse event;
  event.set_candidate_index(candidate);
  return event;
}

TEST(Assembly, AddsUpToWhatGenerateAnswers) {
  Assembly assembly;
  auto start = Event();
  start.mutable_start()->set_operation_id("op_1");
  assembly.Add(start);
  for (const char* text : {"Let me", " see."}) {
    auto thought = Event();
    thought.mutable_reasoning_delta()->set_text(text);
    assembly.Add(thought);
  }
  auto proof = Event();
  proof.mutable_reasoning_delta()->set_signature("sig");
  assembly.Add(proof);
  for (const char* text : {"Hel", "lo"}) {
    auto said = Event();
    said.set_text_delta(text);
    assembly.Add(said);
  }
  const std::vector<std::tuple<std::uint32_t, const char*, const char*>> calls{
      {0, "c0", "{\"a\":"}, {1, "c1", "{}"}, {0, "", "1}"}};
  for (const auto& [number, id, fragment] : calls) {
    auto call = Event();
    call.mutable_tool_call_delta()->set_call_index(number);
    call.mutable_tool_call_delta()->set_id(id);
    call.mutable_tool_call_delta()->set_arguments_json_fragment(fragment);
    assembly.Add(call);
  }
  auto other = Event(1);
  other.set_text_delta("Hi");
  assembly.Add(other);
  auto finish = Event();
  finish.mutable_finish()->set_reason(v1::FINISH_REASON_TOOL_CALLS);
  assembly.Add(finish);
  auto completed = Event();
  completed.mutable_completed()->mutable_usage()->set_output_tokens(9);
  assembly.Add(completed);

  const auto wanted = FromJson<v1::GenerateResponse>(R"({
    "operationId": "op_1",
    "candidates": [
      {"parts": [
         {"reasoning": {"text": "Let me see.", "signature": "c2ln"}},
         {"text": "Hello"},
         {"toolCall": {"id": "c0", "argumentsJson": "{\"a\":1}"}},
         {"toolCall": {"id": "c1", "argumentsJson": "{}"}}],
       "finish": {"reason": "FINISH_REASON_TOOL_CALLS"}},
      {"index": 1, "parts": [{"text": "Hi"}]}],
    "answeredBy": {},
    "usage": {"outputTokens": "9"},
    "report": {}
  })");
  std::string difference;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(wanted, assembly.response())) << difference;
  EXPECT_EQ(TextOf(assembly.response()), "Hello");
  EXPECT_EQ(ToolCallsOf(assembly.response()).size(), 2);
}

}  // namespace
}  // namespace interlingua
