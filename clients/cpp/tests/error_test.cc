#include "interlingua/error.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"

namespace interlingua {
namespace {

google::rpc::Status Limited() {
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
  status.set_message("Too many requests.");
  google::rpc::ErrorInfo info;
  info.set_reason("ERROR_REASON_RATE_LIMITED");
  (*info.mutable_metadata())["operation_id"] = "op_1";
  status.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  status.add_details()->PackFrom(retry);
  google::rpc::QuotaFailure quota;
  auto* violation = quota.add_violations();
  violation->set_subject("tenant:acme");
  violation->set_description("600 requests a minute");
  status.add_details()->PackFrom(quota);
  return status;
}

grpc::Status OnTheWire(const google::rpc::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message(),
          status.SerializeAsString()};
}

TEST(Error, ReadsEveryDetail) {
  const Error error(OnTheWire(Limited()));
  EXPECT_STREQ(error.what(), "RESOURCE_EXHAUSTED: Too many requests.");
  EXPECT_EQ(error.code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.reason(), "ERROR_REASON_RATE_LIMITED");
  EXPECT_EQ(error.operation_id(), "op_1");
  EXPECT_EQ(error.retry_after(), std::chrono::milliseconds(2500));
  ASSERT_EQ(error.violations().size(), 1);
  EXPECT_EQ(error.violations()[0].subject, "tenant:acme");
  EXPECT_EQ(error.violations()[0].description, "600 requests a minute");
  EXPECT_FALSE(error.resource());
}

TEST(Error, ReadsAStatusInsideOfAMessage) {
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::NOT_FOUND);
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("model");
  resource.set_resource_name("gpt");
  status.add_details()->PackFrom(resource);
  google::rpc::BadRequest request;
  request.add_field_violations()->set_field("model");
  status.add_details()->PackFrom(request);
  google::rpc::PreconditionFailure failure;
  failure.add_violations()->set_subject("pii");
  status.add_details()->PackFrom(failure);

  const Error error(status);
  EXPECT_EQ(error.code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(error.resource());
  EXPECT_EQ(error.resource()->type, "model");
  EXPECT_EQ(error.resource()->name, "gpt");
  ASSERT_EQ(error.violations().size(), 2);
  EXPECT_EQ(error.violations()[0].subject, "model");
  EXPECT_EQ(error.violations()[1].subject, "pii");
}

TEST(Error, SurvivesDetailsThatAreNone) {
  const Error error(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone", "\xff not a status"));
  EXPECT_EQ(error.code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(error.reason(), "");
  EXPECT_FALSE(error.retry_after());
}

TEST(Error, ALostConnectionInAStreamIsABrokenStream) {
  const Error lost(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection reset"));
  EXPECT_EQ(lost.CutOff().code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(lost.CutOff().message(), "connection reset");
  const Error late(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "late"));
  EXPECT_EQ(late.CutOff().code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Error(OnTheWire(Limited())).CutOff().code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace interlingua
