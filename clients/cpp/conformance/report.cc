#include "report.h"

#include <absl/strings/escaping.h>
#include <google/protobuf/util/json_util.h>

#include <stdexcept>

namespace conformance {

std::string Quoted(const std::string& text) {
  Value value;
  value.set_string_value(text);
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(value, &json);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return json;
}

std::string Encoded(const std::string& bytes) { return "\"" + absl::Base64Escape(bytes) + "\""; }

std::string Encoded(const google::protobuf::Message& message) {
  return Encoded(message.SerializeAsString());
}

Observed& Observed::Raw(const std::string& key, const std::string& json) {
  members_ += (members_.empty() ? "" : ",") + Quoted(key) + ":" + json;
  return *this;
}

Observed& Observed::Text(const std::string& key, const std::string& text) {
  return Raw(key, Quoted(text));
}

Observed& Observed::List(const std::string& key, const std::vector<std::string>& json) {
  std::string items;
  for (const std::string& item : json) items += (items.empty() ? "" : ",") + item;
  return Raw(key, "[" + items + "]");
}

Observed& Observed::Message(const std::string& key, const google::protobuf::Message& message) {
  return Raw(key, Encoded(message));
}

Observed& Observed::Failure(const interlingua::Error& error) {
  Observed told;
  told.Text("code", interlingua::NameOf(error.code()))
      .Text("reason", error.reason())
      .Text("message", error.message());
  if (const auto delay = error.retry_after()) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*delay);
    told.Raw("retry_after_ms", std::to_string(ms.count()));
  }
  std::vector<std::string> violations;
  for (const auto& one : error.violations()) {
    violations.push_back(
        Observed().Text("subject", one.subject).Text("description", one.description).Json());
  }
  told.List("violations", violations);
  if (const auto& resource = error.resource()) {
    told.Raw("resource",
             Observed().Text("type", resource->type).Text("name", resource->name).Json());
  }
  Observed metadata;
  for (const auto& [key, value] : error.metadata()) metadata.Text(key, value);
  told.Raw("metadata", metadata.Json());
  return Raw("error", told.Json());
}

void Decode(const Struct& scenario, google::protobuf::Message* into) {
  std::string bytes;
  if (!absl::Base64Unescape(TextMember(scenario, "request"), &bytes) ||
      !into->ParseFromString(bytes)) {
    throw std::invalid_argument("the request is not a " + into->GetTypeName());
  }
}

const Value& Member(const Struct& object, const std::string& key) {
  const auto found = object.fields().find(key);
  return found == object.fields().end() ? Value::default_instance() : found->second;
}

std::string TextMember(const Struct& object, const std::string& key) {
  return Member(object, key).string_value();
}

bool Has(const Struct& object, const std::string& key) { return object.fields().contains(key); }

}  // namespace conformance
