// Constructors of messages, parts and tools, and readers of answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "interlingua/v1/embed.pb.h"
#include "interlingua/v1/generate.pb.h"

namespace interlingua {

// Parts of a message.
[[nodiscard]] v1::Part Text(std::string text);
// A picture by its bytes with their MIME type, or by a URI that the provider can fetch.
[[nodiscard]] v1::Part ImageBytes(std::string data, std::string mime_type,
                                  v1::MediaDetail detail = v1::MEDIA_DETAIL_UNSPECIFIED);
[[nodiscard]] v1::Part ImageUri(std::string uri, std::string mime_type = "",
                                v1::MediaDetail detail = v1::MEDIA_DETAIL_UNSPECIFIED);
// A tool call that the model has made, for conversations that are told again.
[[nodiscard]] v1::Part Call(v1::ToolCall call);

namespace detail {
v1::Message MessageOf(v1::Role role);
inline v1::Part PartOf(v1::Part part) { return part; }
inline v1::Part PartOf(std::string text) { return Text(std::move(text)); }

template <class... Parts>
v1::Message MessageOf(v1::Role role, Parts&&... parts) {
  v1::Message message = MessageOf(role);
  (void(*message.add_parts() = PartOf(std::forward<Parts>(parts))), ...);
  return message;
}
}  // namespace detail

// Messages; each takes any number of parts, and texts as they stand.
template <class... Parts>
[[nodiscard]] v1::Message System(Parts&&... parts) {
  return detail::MessageOf(v1::ROLE_SYSTEM, std::forward<Parts>(parts)...);
}
template <class... Parts>
[[nodiscard]] v1::Message User(Parts&&... parts) {
  return detail::MessageOf(v1::ROLE_USER, std::forward<Parts>(parts)...);
}
template <class... Parts>
[[nodiscard]] v1::Message Assistant(Parts&&... parts) {
  return detail::MessageOf(v1::ROLE_ASSISTANT, std::forward<Parts>(parts)...);
}
// What a tool returned for `call`; with `is_error` the text describes how it failed.
[[nodiscard]] v1::Message ToolResult(const v1::ToolCall& call, std::string text,
                                     bool is_error = false);

// A request to the model `model` (empty: the gateway's default) with these messages.
template <class... Messages>
[[nodiscard]] v1::GenerateRequest Request(std::string model, Messages&&... messages) {
  v1::GenerateRequest request;
  request.set_model(std::move(model));
  (void(*request.add_messages() = std::forward<Messages>(messages)), ...);
  return request;
}

// A request for the vectors of `texts`, asked for as bytes, which no side has to take apart.
[[nodiscard]] v1::EmbedRequest EmbedTexts(std::string model, std::vector<std::string> texts);

// A function that the model may call; `parameters_json_schema` is JSON text, empty for none.
[[nodiscard]] v1::Tool Tool(std::string name, std::string description,
                            std::string parameters_json_schema = "");

// The response format of a JSON value that satisfies `schema_json`, JSON text. `strict` asks the
// provider to hold the answer to the schema.
[[nodiscard]] v1::ResponseFormat JsonSchema(std::string schema_json, std::string name = "answer",
                                            std::optional<bool> strict = std::nullopt);

// The text of the first candidate, joined.
[[nodiscard]] std::string TextOf(const v1::GenerateResponse& response);
// The calls that the first candidate wants made.
[[nodiscard]] std::vector<v1::ToolCall> ToolCallsOf(const v1::GenerateResponse& response);
// The first candidate as a message, to be appended to the conversation when it goes on.
[[nodiscard]] v1::Message MessageOf(const v1::GenerateResponse& response);
// The numbers of one vector, in whichever form it came.
[[nodiscard]] std::vector<float> ValuesOf(const v1::Embedding& embedding);

// Reads JSON text, such as a structured answer or the arguments of a tool call, into a message of
// the caller's own protobuf type; fields that the type does not have are refused.
// Throws std::invalid_argument with protobuf's own words if the text does not fit.
void ReadJson(std::string_view json, google::protobuf::Message* into);

template <class M>
[[nodiscard]] M FromJson(std::string_view json) {
  M message;
  ReadJson(json, &message);
  return message;
}

}  // namespace interlingua
