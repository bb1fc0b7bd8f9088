// What can go wrong with a call, decoded from the gRPC status and its google.rpc details.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"

namespace interlingua {

// One thing that stood in the way of a call: the path of a field (`messages[0].role`), the subject
// of a quota or that of a precondition, and what is wrong with it.
struct Violation {
  std::string subject;
  std::string description;
};

// What an error is about, such as type `model` and name `gpt`.
struct Resource {
  std::string type;
  std::string name;
};

// A call that failed. What the gateway says is `what()`; `reason()` is what programs look at.
class Error : public std::runtime_error {
 public:
  explicit Error(const grpc::Status& status);
  // For a status that came inside of a message, such as that of an item of a batch.
  explicit Error(const google::rpc::Status& status);

  [[nodiscard]] grpc::StatusCode code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  // The name of a value of the contract's ErrorReason (`ERROR_REASON_RATE_LIMITED`); empty if the
  // failure did not come from the gateway.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  // How long the gateway asks to wait before the same call is sent again, if it says so.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> retry_after() const noexcept {
    return retry_after_;
  }
  [[nodiscard]] const std::vector<Violation>& violations() const noexcept { return violations_; }
  [[nodiscard]] const std::optional<Resource>& resource() const noexcept { return resource_; }
  // Further facts: `operation_id`, `phase`, `events_sent` and others that the contract lists.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept {
    return metadata_;
  }
  // The gateway's name for the call; empty if the call did not reach it.
  [[nodiscard]] std::string operation_id() const;

  // What this failure means once a stream has begun: a connection that is lost then must not look
  // like a call that can simply be sent again, so without a reason of the gateway it becomes
  // ABORTED.
  [[nodiscard]] Error CutOff() const;

 private:
  Error(grpc::StatusCode code, const std::string& message);
  void Read(const google::rpc::Status& status);

  grpc::StatusCode code_;
  std::string message_;
  std::string reason_;
  std::map<std::string, std::string> metadata_;
  std::optional<std::chrono::nanoseconds> retry_after_;
  std::vector<Violation> violations_;
  std::optional<Resource> resource_;
};

// The name of a status code as gRPC spells it: `UNAVAILABLE`.
[[nodiscard]] std::string NameOf(grpc::StatusCode code);

}  // namespace interlingua
