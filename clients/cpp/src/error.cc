#include "interlingua/error.h"

#include <array>

#include "google/rpc/error_details.pb.h"

namespace interlingua {
namespace {

constexpr std::array kNames{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// The first detail of type `M`; nothing if there is none that can be read.
template <class M>
std::optional<M> Detail(const google::rpc::Status& status) {
  for (const auto& packed : status.details()) {
    if (M detail; packed.Is<M>() && packed.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

std::string Headline(grpc::StatusCode code, const std::string& message) {
  return NameOf(code) + ": " + message;
}

}  // namespace

std::string NameOf(grpc::StatusCode code) {
  const auto number = static_cast<std::size_t>(code);
  return number < kNames.size() ? kNames[number] : "UNKNOWN";
}

Error::Error(grpc::StatusCode code, const std::string& message)
    : std::runtime_error(Headline(code, message)), code_(code), message_(message) {}

Error::Error(const grpc::Status& status) : Error(status.error_code(), status.error_message()) {
  google::rpc::Status details;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details())) {
    Read(details);
  }
}

Error::Error(const google::rpc::Status& status)
    : Error(static_cast<grpc::StatusCode>(status.code()), status.message()) {
  Read(status);
}

void Error::Read(const google::rpc::Status& status) {
  if (const auto info = Detail<google::rpc::ErrorInfo>(status)) {
    reason_ = info->reason();
    metadata_ = {info->metadata().begin(), info->metadata().end()};
  }
  if (const auto retry = Detail<google::rpc::RetryInfo>(status)) {
    retry_after_ = std::chrono::seconds(retry->retry_delay().seconds()) +
                   std::chrono::nanoseconds(retry->retry_delay().nanos());
  }
  if (const auto request = Detail<google::rpc::BadRequest>(status)) {
    for (const auto& one : request->field_violations()) {
      violations_.push_back({one.field(), one.description()});
    }
  }
  if (const auto quota = Detail<google::rpc::QuotaFailure>(status)) {
    for (const auto& one : quota->violations()) {
      violations_.push_back({one.subject(), one.description()});
    }
  }
  if (const auto failure = Detail<google::rpc::PreconditionFailure>(status)) {
    for (const auto& one : failure->violations()) {
      violations_.push_back({one.subject(), one.description()});
    }
  }
  if (const auto resource = Detail<google::rpc::ResourceInfo>(status)) {
    resource_ = Resource{resource->resource_type(), resource->resource_name()};
  }
}

std::string Error::operation_id() const {
  const auto found = metadata_.find("operation_id");
  return found == metadata_.end() ? "" : found->second;
}

Error Error::CutOff() const {
  const bool kept = !reason_.empty() || code_ == grpc::StatusCode::CANCELLED ||
                    code_ == grpc::StatusCode::DEADLINE_EXCEEDED;
  return kept ? *this : Error(grpc::StatusCode::ABORTED, message_);
}

}  // namespace interlingua
