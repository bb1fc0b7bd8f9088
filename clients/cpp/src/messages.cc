#include "interlingua/messages.h"

#include <google/protobuf/util/json_util.h>

#include <bit>
#include <cstdint>
#include <stdexcept>

namespace interlingua {

v1::Part Text(std::string text) {
  v1::Part part;
  part.set_text(std::move(text));
  return part;
}

v1::Part ImageBytes(std::string data, std::string mime_type, v1::MediaDetail detail) {
  v1::Part part;
  part.mutable_image()->set_data(std::move(data));
  part.mutable_image()->set_mime_type(std::move(mime_type));
  part.mutable_image()->set_detail(detail);
  return part;
}

v1::Part ImageUri(std::string uri, std::string mime_type, v1::MediaDetail detail) {
  v1::Part part;
  part.mutable_image()->set_uri(std::move(uri));
  part.mutable_image()->set_mime_type(std::move(mime_type));
  part.mutable_image()->set_detail(detail);
  return part;
}

v1::Part Call(v1::ToolCall call) {
  v1::Part part;
  *part.mutable_tool_call() = std::move(call);
  return part;
}

namespace detail {
v1::Message MessageOf(v1::Role role) {
  v1::Message message;
  message.set_role(role);
  return message;
}
}  // namespace detail

v1::Message ToolResult(const v1::ToolCall& call, std::string text, bool is_error) {
  v1::Message message = detail::MessageOf(v1::ROLE_TOOL);
  v1::ToolResult* result = message.add_parts()->mutable_tool_result();
  result->set_tool_call_id(call.id());
  result->set_name(call.name());
  result->set_is_error(is_error);
  *result->add_parts() = Text(std::move(text));
  return message;
}

v1::EmbedRequest EmbedTexts(std::string model, std::vector<std::string> texts) {
  v1::EmbedRequest request;
  request.set_model(std::move(model));
  request.set_encoding(v1::EMBEDDING_ENCODING_FLOAT32_LE);
  for (std::string& text : texts) request.add_inputs()->set_text(std::move(text));
  return request;
}

v1::Tool Tool(std::string name, std::string description, std::string parameters_json_schema) {
  v1::Tool tool;
  tool.set_name(std::move(name));
  tool.set_description(std::move(description));
  tool.set_parameters_json_schema(std::move(parameters_json_schema));
  return tool;
}

v1::ResponseFormat JsonSchema(std::string schema_json, std::string name,
                              std::optional<bool> strict) {
  v1::ResponseFormat format;
  if (strict) format.mutable_json_schema()->set_strict(*strict);
  format.mutable_json_schema()->set_name(std::move(name));
  format.mutable_json_schema()->set_schema_json(std::move(schema_json));
  return format;
}

std::string TextOf(const v1::GenerateResponse& response) {
  std::string text;
  if (response.candidates().empty()) return text;
  for (const auto& part : response.candidates(0).parts()) text += part.text();
  return text;
}

std::vector<v1::ToolCall> ToolCallsOf(const v1::GenerateResponse& response) {
  std::vector<v1::ToolCall> calls;
  if (response.candidates().empty()) return calls;
  for (const auto& part : response.candidates(0).parts()) {
    if (part.has_tool_call()) calls.push_back(part.tool_call());
  }
  return calls;
}

v1::Message MessageOf(const v1::GenerateResponse& response) {
  v1::Message message = detail::MessageOf(v1::ROLE_ASSISTANT);
  if (!response.candidates().empty()) *message.mutable_parts() = response.candidates(0).parts();
  return message;
}

std::vector<float> ValuesOf(const v1::Embedding& embedding) {
  if (!embedding.values().empty()) return {embedding.values().begin(), embedding.values().end()};
  const std::string& bytes = embedding.float32_le();
  std::vector<float> values;
  values.reserve(bytes.size() / sizeof(float));
  for (std::size_t at = 0; at + sizeof(float) <= bytes.size(); at += sizeof(float)) {
    std::uint32_t bits = 0;
    for (std::size_t byte = 0; byte < sizeof(float); ++byte) {
      bits |= std::uint32_t{static_cast<unsigned char>(bytes[at + byte])} << (8 * byte);
    }
    values.push_back(std::bit_cast<float>(bits));
  }
  return values;
}

void ReadJson(std::string_view json, google::protobuf::Message* into) {
  const auto status = google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, into);
  if (!status.ok()) throw std::invalid_argument(status.ToString());
}

}  // namespace interlingua
