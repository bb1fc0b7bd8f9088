#include "interlingua/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdlib>

#include "service_config.h"

namespace interlingua {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxMessageBytes = 64 * 1024 * 1024;
constexpr milliseconds kAnswer = std::chrono::minutes(10);
constexpr milliseconds kVectors = std::chrono::minutes(2);
constexpr milliseconds kBatch = std::chrono::hours(1);
constexpr milliseconds kCount = std::chrono::seconds(30);
constexpr milliseconds kLookUp = std::chrono::seconds(15);

std::string Target(const std::string& address) {
  if (!address.empty()) return address;
  const char* named = std::getenv("INTERLINGUA_ADDRESS");  // NOLINT(concurrency-mt-unsafe)
  return named != nullptr && *named != '\0' ? named : "127.0.0.1:50051";
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const std::optional<Tls>& tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({tls->root_certificates, tls->private_key, tls->certificate_chain});
}

grpc::ChannelArguments Arguments(const std::optional<Tls>& tls) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kMaxMessageBytes);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // The gateway refuses pings that come more often than every 5 seconds.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetUserAgentPrefix("interlingua-cpp");
  if (tls && !tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(tls->server_name);
  }
  return arguments;
}

void Check(const grpc::Status& status) {
  if (!status.ok()) throw Error(status);
}

}  // namespace

Client::Client(const std::string& address, ClientOptions options)
    : options_(std::move(options)),
      channel_(grpc::CreateCustomChannel(Target(address), Credentials(options_.tls),
                                         Arguments(options_.tls))),
      gateway_(v1::GatewayService::NewStub(channel_)),
      models_(v1::ModelService::NewStub(channel_)) {}

std::unique_ptr<Wire> Client::Prepare(milliseconds timeout, const CallOptions& options) const {
  auto wire = std::make_unique<Wire>();
  grpc::ClientContext& context = wire->context;
  const milliseconds bound = options.timeout.value_or(options_.timeout.value_or(timeout));
  context.set_deadline(std::chrono::system_clock::now() + bound);
  const std::string token = options_.token_source ? options_.token_source() : options_.api_key;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  if (!options.traceparent.empty()) context.AddMetadata("traceparent", options.traceparent);
  for (const auto& [key, value] : options.metadata) context.AddMetadata(key, value);
  if (options.stop.stop_possible()) {
    wire->on_stop.emplace(options.stop, [&context] { context.TryCancel(); });
  }
  return wire;
}

v1::GenerateResponse Client::Generate(const v1::GenerateRequest& request,
                                      const CallOptions& options) const {
  const auto wire = Prepare(kAnswer, options);
  v1::GenerateResponse response;
  Check(gateway_->Generate(&wire->context, request, &response));
  return response;
}

Stream Client::StreamGenerate(const v1::GenerateRequest& request,
                              const CallOptions& options) const {
  auto wire = Prepare(kAnswer, options);
  auto reader = gateway_->StreamGenerate(&wire->context, request);
  return {std::move(wire), std::move(reader)};
}

v1::EmbedResponse Client::Embed(const v1::EmbedRequest& request, const CallOptions& options) const {
  const auto wire = Prepare(kVectors, options);
  v1::EmbedResponse response;
  Check(gateway_->Embed(&wire->context, request, &response));
  return response;
}

std::vector<Client::BatchResult> Client::BatchGenerate(const v1::BatchGenerateRequest& request,
                                                       const CallOptions& options) const {
  const auto wire = Prepare(kBatch, options);
  const auto reader = gateway_->BatchGenerate(&wire->context, request);
  const auto size = static_cast<std::size_t>(request.requests_size());
  std::vector<std::optional<BatchResult>> arrived(size);
  bool begun = false;
  v1::BatchGenerateResponse item;
  while (reader->Read(&item)) {
    begun = true;
    if (item.index() >= size) continue;
    if (item.has_response()) {
      arrived[item.index()] = std::move(*item.mutable_response());
    } else {
      arrived[item.index()] = Error(item.error());
    }
  }
  const grpc::Status status = reader->Finish();
  if (!begun) Check(status);
  const Error missing = status.ok()
                            ? Error(grpc::Status(grpc::StatusCode::ABORTED, "no result was sent"))
                            : Error(status).CutOff();
  std::vector<BatchResult> results;
  results.reserve(size);
  for (auto& one : arrived) results.push_back(one ? std::move(*one) : missing);
  return results;
}

v1::CountTokensResponse Client::CountTokens(const v1::GenerateRequest& request,
                                            const CallOptions& options) const {
  const auto wire = Prepare(kCount, options);
  v1::CountTokensRequest counted;
  *counted.mutable_request() = request;
  v1::CountTokensResponse response;
  Check(gateway_->CountTokens(&wire->context, counted, &response));
  return response;
}

v1::HealthResponse Client::Health(const std::string& provider, const CallOptions& options) const {
  const auto wire = Prepare(kLookUp, options);
  v1::HealthRequest request;
  request.set_provider(provider);
  v1::HealthResponse response;
  Check(gateway_->Health(&wire->context, request, &response));
  return response;
}

std::vector<v1::Model> Client::ListModels(const CallOptions& options) const {
  std::vector<v1::Model> models;
  v1::ListModelsRequest request;
  while (true) {
    const auto wire = Prepare(kLookUp, options);
    v1::ListModelsResponse page;
    Check(models_->ListModels(&wire->context, request, &page));
    models.insert(models.end(), page.models().begin(), page.models().end());
    if (page.next_page_token().empty()) return models;
    request.set_page_token(page.next_page_token());
  }
}

v1::Model Client::GetModel(const std::string& name, const CallOptions& options) const {
  const auto wire = Prepare(kLookUp, options);
  v1::GetModelRequest request;
  request.set_name(name);
  v1::GetModelResponse response;
  Check(models_->GetModel(&wire->context, request, &response));
  return response.model();
}

}  // namespace interlingua
