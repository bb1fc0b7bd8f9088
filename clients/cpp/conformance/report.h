// What the runner reads and writes: JSON with messages in base64.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <string>
#include <vector>

#include "interlingua/interlingua.h"

namespace conformance {

using google::protobuf::Struct;
using google::protobuf::Value;

// One JSON object as it is written; keys in the order in which they are set.
class Observed {
 public:
  Observed& Text(const std::string& key, const std::string& text);
  Observed& Raw(const std::string& key, const std::string& json);
  Observed& List(const std::string& key, const std::vector<std::string>& json);
  Observed& Message(const std::string& key, const google::protobuf::Message& message);
  Observed& Failure(const interlingua::Error& error);
  [[nodiscard]] std::string Json() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

std::string Quoted(const std::string& text);
std::string Encoded(const std::string& bytes);
std::string Encoded(const google::protobuf::Message& message);

template <class M>
M Decoded(const Struct& scenario);
void Decode(const Struct& scenario, google::protobuf::Message* into);

template <class M>
M Decoded(const Struct& scenario) {
  M message;
  Decode(scenario, &message);
  return message;
}

// Members of an object; empty values where there is none.
const Value& Member(const Struct& object, const std::string& key);
std::string TextMember(const Struct& object, const std::string& key);
bool Has(const Struct& object, const std::string& key);

}  // namespace conformance
