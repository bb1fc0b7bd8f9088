// The client: where a gateway is, how to be known to it, and its methods.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "interlingua/error.h"
#include "interlingua/stream.h"
#include "interlingua/v1/embed.pb.h"
#include "interlingua/v1/gateway_service.grpc.pb.h"
#include "interlingua/v1/model_service.grpc.pb.h"

namespace interlingua {

// How to trust the gateway and, for mutual TLS, how to be trusted. All texts are PEM.
struct Tls {
  std::string root_certificates{};  // empty: those of the system
  std::string certificate_chain{};
  std::string private_key{};
  std::string server_name{};  // the name in the certificate, if it is not that of the address
};

struct ClientOptions {
  // Sent as a bearer token with every call.
  std::string api_key{};
  // Asked for a bearer token before every call, for tokens that end; wins over `api_key`.
  std::function<std::string()> token_source{};
  std::optional<Tls> tls{};
  // Bounds each call that does not name its own timeout. Unset: 10 minutes for answers, 2 for
  // vectors, an hour for batches, 15 to 30 seconds for the rest.
  std::optional<std::chrono::milliseconds> timeout{};
};

struct CallOptions {
  // Bounds the call with all that the gateway does for it.
  std::optional<std::chrono::milliseconds> timeout{};
  // Ends the call at once when a stop is requested, also while another thread waits for it.
  std::stop_token stop{};
  // A W3C trace context to be continued.
  std::string traceparent{};
  // Further gRPC metadata; keys in lower case.
  std::vector<std::pair<std::string, std::string>> metadata{};
};

// A connection to a gateway; one serves any number of threads.
//
// `address` is `host:port`, `unix:/path` or another gRPC target; empty takes the environment's
// INTERLINGUA_ADDRESS, then 127.0.0.1:50051. Calls throw Error.
class Client {
 public:
  explicit Client(const std::string& address = "", ClientOptions options = {});

  [[nodiscard]] v1::GenerateResponse Generate(const v1::GenerateRequest& request,
                                              const CallOptions& options = {}) const;
  [[nodiscard]] Stream StreamGenerate(const v1::GenerateRequest& request,
                                      const CallOptions& options = {}) const;
  [[nodiscard]] v1::EmbedResponse Embed(const v1::EmbedRequest& request,
                                        const CallOptions& options = {}) const;

  // The results in the order of the requests; what failed is an Error in its place. Throws only if
  // the batch failed before its first result.
  using BatchResult = std::variant<v1::GenerateResponse, Error>;
  [[nodiscard]] std::vector<BatchResult> BatchGenerate(const v1::BatchGenerateRequest& request,
                                                       const CallOptions& options = {}) const;

  [[nodiscard]] v1::CountTokensResponse CountTokens(const v1::GenerateRequest& request,
                                                    const CallOptions& options = {}) const;
  // How the gateway and its providers, or only `provider`, are.
  [[nodiscard]] v1::HealthResponse Health(const std::string& provider = "",
                                          const CallOptions& options = {}) const;
  // Every model that may be named; the timeout holds for each page of them.
  [[nodiscard]] std::vector<v1::Model> ListModels(const CallOptions& options = {}) const;
  [[nodiscard]] v1::Model GetModel(const std::string& name, const CallOptions& options = {}) const;

  // The connection, for the services that have no method here.
  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // Fills in what a call over `channel()` needs: deadline, credentials, trace context.
  [[nodiscard]] std::unique_ptr<Wire> Prepare(std::chrono::milliseconds timeout,
                                              const CallOptions& options) const;

 private:
  ClientOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::GatewayService::Stub> gateway_;
  std::unique_ptr<v1::ModelService::Stub> models_;
};

}  // namespace interlingua
