// The conformance runner: performs a plan with the client, see clients/conformance/README.md.
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "health.grpc.pb.h"
#include "interlingua/interlingua.h"
#include "report.h"

namespace conformance {
namespace {

namespace v1 = interlingua::v1;
using interlingua::CallOptions;
using interlingua::Client;
using interlingua::ClientOptions;
using interlingua::Error;
using std::chrono::milliseconds;

std::string FileText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void Pause(const std::string& name) {
  std::cout << Observed().Text("pause", name).Json() << std::endl;
  std::string line;
  std::getline(std::cin, line);
}

milliseconds MillisecondsMember(const Struct& options, const std::string& key) {
  return milliseconds(static_cast<std::int64_t>(Member(options, key).number_value()));
}

// One scenario: its client, its request and what its options wish for.
class Scenario {
 public:
  Scenario(const Struct& plan, const Client& shared)
      : plan_(plan), options_(Member(plan, "options").struct_value()), shared_(shared) {
    if (!Has(options_, "address")) return;
    ClientOptions wishes{.api_key = TextMember(options_, "api_key")};
    if (Member(options_, "token_source").bool_value()) {
      wishes.token_source = [count = 0]() mutable { return "token-" + std::to_string(++count); };
    }
    if (Has(options_, "tls")) {
      const Struct& tls = Member(options_, "tls").struct_value();
      const auto pem = [&](const std::string& key) {
        return Has(tls, key) ? FileText(TextMember(tls, key)) : "";
      };
      wishes.tls = interlingua::Tls{.root_certificates = pem("ca_file"),
                                    .certificate_chain = pem("cert_file"),
                                    .private_key = pem("key_file"),
                                    .server_name = TextMember(tls, "server_name")};
    }
    own_ = std::make_unique<Client>(TextMember(options_, "address"), wishes);
  }

  [[nodiscard]] const Client& client() const { return own_ ? *own_ : shared_; }
  [[nodiscard]] const Struct& plan() const { return plan_; }
  [[nodiscard]] int Count(const std::string& key) const {
    return Has(options_, key) ? static_cast<int>(Member(options_, key).number_value()) : 1;
  }
  [[nodiscard]] int leave_after() const {
    return Has(options_, "leave_after_events") ? Count("leave_after_events") : -1;
  }
  [[nodiscard]] bool cancelled() const { return source_.stop_requested(); }

  // The options of the next call; where the scenario wants it cancelled the time starts now.
  CallOptions Options() {
    CallOptions options;
    if (Has(options_, "deadline_ms")) options.timeout = MillisecondsMember(options_, "deadline_ms");
    options.traceparent = TextMember(options_, "traceparent");
    for (const auto& [key, value] : Member(options_, "metadata").struct_value().fields()) {
      options.metadata.emplace_back(key, value.string_value());
    }
    if (Has(options_, "cancel_after_ms")) {
      options.stop = source_.get_token();
      canceller_ = std::jthread([this, after = MillisecondsMember(options_, "cancel_after_ms")] {
        std::this_thread::sleep_for(after);
        source_.request_stop();
      });
    }
    return options;
  }

 private:
  const Struct& plan_;
  const Struct& options_;
  const Client& shared_;
  std::unique_ptr<Client> own_;
  std::stop_source source_;
  std::jthread canceller_;
};

// What a call that is no stream observes; `call` tells its answer.
Observed Whole(Scenario& scenario, const std::function<void(const CallOptions&, Observed&)>& call) {
  Observed observed;
  for (int turn = 0; turn < scenario.Count("calls"); ++turn) {
    observed = Observed();
    try {
      call(scenario.Options(), observed);
    } catch (const Error& error) {
      if (scenario.cancelled() && error.code() == grpc::StatusCode::CANCELLED) {
        observed.Raw("cancelled", "true");
      } else {
        observed.Failure(error);
      }
    }
  }
  return observed;
}

Observed Generate(Scenario& scenario) {
  return Whole(scenario, [&](const CallOptions& options, Observed& observed) {
    const auto response =
        scenario.client().Generate(Decoded<v1::GenerateRequest>(scenario.plan()), options);
    observed.Message("response", response).Text("text", interlingua::TextOf(response));
  });
}

// What was seen of a stream so far.
struct Seen {
  std::vector<std::string> events;
  std::string text;

  void Add(const v1::StreamGenerateResponse& event) {
    events.push_back(Encoded(event));
    if (event.candidate_index() == 0) text += event.text_delta();
  }
};

// Reads `stream` to its end, or to where the scenario leaves it.
Observed Read(Scenario& scenario, interlingua::Stream stream, Seen seen, bool with_events) {
  Observed ending;
  const int leave_after = scenario.leave_after();
  try {
    for (const auto& event : stream) {
      seen.Add(event);
      if (static_cast<int>(seen.events.size()) == leave_after) {
        ending.Raw("cancelled", "true");
        break;
      }
    }
  } catch (const Error& error) {
    if (scenario.cancelled() && error.code() == grpc::StatusCode::CANCELLED) {
      ending.Raw("cancelled", "true");
    } else {
      ending.Failure(error);
    }
  }
  if (with_events) ending.List("events", seen.events);
  ending.Text("text", seen.text);
  return ending;
}

Observed Stream(Scenario& scenario) {
  Observed observed;
  for (int turn = 0; turn < scenario.Count("calls"); ++turn) {
    const auto request = Decoded<v1::GenerateRequest>(scenario.plan());
    observed = Read(scenario, scenario.client().StreamGenerate(request, scenario.Options()), {},
                    /*with_events=*/true);
  }
  return observed;
}

Observed Embed(Scenario& scenario) {
  return Whole(scenario, [&](const CallOptions& options, Observed& observed) {
    const auto response =
        scenario.client().Embed(Decoded<v1::EmbedRequest>(scenario.plan()), options);
    std::vector<std::string> vectors;
    for (const auto& embedding : response.embeddings()) {
      const std::vector<float> values = interlingua::ValuesOf(embedding);
      // The machines that this runs on are little-endian.
      vectors.push_back(Encoded(std::string(reinterpret_cast<const char*>(values.data()),  // NOLINT
                                            values.size() * sizeof(float))));
    }
    observed.Message("response", response).List("vectors", vectors);
  });
}

Observed Batch(Scenario& scenario) {
  return Whole(scenario, [&](const CallOptions& options, Observed& observed) {
    const auto request = Decoded<v1::BatchGenerateRequest>(scenario.plan());
    std::vector<std::string> results;
    for (const auto& result : scenario.client().BatchGenerate(request, options)) {
      Observed one;
      if (const auto* error = std::get_if<Error>(&result)) {
        one.Failure(*error);
      } else {
        one.Message("response", std::get<v1::GenerateResponse>(result));
      }
      results.push_back(one.Json());
    }
    observed.List("results", results);
  });
}

Observed CountTokens(Scenario& scenario) {
  return Whole(scenario, [&](const CallOptions& options, Observed& observed) {
    const auto request = Decoded<v1::CountTokensRequest>(scenario.plan()).request();
    observed.Message("response", scenario.client().CountTokens(request, options));
  });
}

Observed Health(Scenario& scenario) {
  return Whole(scenario, [&](const CallOptions& options, Observed& observed) {
    const auto request = Decoded<v1::HealthRequest>(scenario.plan());
    observed.Message("response", scenario.client().Health(request.provider(), options));
  });
}

Observed ListModels(Scenario& scenario) {
  return Whole(scenario, [&](const CallOptions& options, Observed& observed) {
    std::vector<std::string> names;
    for (const auto& model : scenario.client().ListModels(options)) {
      names.push_back(Quoted(model.name()));
    }
    observed.List("models", names);
  });
}

Observed Build(Scenario& /*scenario*/) {
  v1::ToolCall call;
  call.set_id("call_1");
  call.set_name("lookup");
  call.set_arguments_json(R"({"animal":"fox"})");
  auto request = interlingua::Request(
      "any", interlingua::System("Be brief."),
      interlingua::User("What is this? 🦊",
                        interlingua::ImageBytes("\x89PNG", "image/png", v1::MEDIA_DETAIL_HIGH)),
      interlingua::User(interlingua::ImageUri("https://example.org/fox.jpg")),
      interlingua::Assistant(interlingua::Call(call)),
      interlingua::ToolResult(call, "Vulpes vulpes"));
  *request.add_tools() = interlingua::Tool(
      "lookup", "Looks up an animal.",
      R"({"type":"object","properties":{"animal":{"type":"string"}},"required":["animal"]})");
  *request.mutable_response_format() = interlingua::JsonSchema(
      R"({"type":"object","properties":{"name":{"type":"string"}},"required":["name"]})", "animal",
      true);
  request.mutable_sampling()->set_temperature(0.5);
  request.mutable_sampling()->set_max_output_tokens(100);
  return Observed().Message("request", request);
}

using HealthStub = grpc::health::v1::Health::Stub;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::string StatusName(const HealthCheckResponse& response) {
  return Quoted(HealthCheckResponse::ServingStatus_Name(response.status()));
}

// The first status of a new watch.
std::string FirstStatus(HealthStub& stub) {
  for (int turn = 0; turn < 50; ++turn) {
    grpc::ClientContext context;
    const auto reader = stub.Watch(&context, HealthCheckRequest());
    HealthCheckResponse response;
    const bool found = reader->Read(&response);
    context.TryCancel();
    const grpc::Status status = reader->Finish();
    if (found) return StatusName(response);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) throw Error(status);
    std::this_thread::sleep_for(milliseconds(200));
  }
  throw std::runtime_error("the gateway did not come back");
}

Observed Watch(Scenario& scenario) {
  const auto stub = grpc::health::v1::Health::NewStub(scenario.client().channel());
  grpc::ClientContext context;
  const auto reader = stub->Watch(&context, HealthCheckRequest());
  std::vector<std::string> statuses;
  HealthCheckResponse response;
  while (reader->Read(&response)) {
    statuses.push_back(StatusName(response));
    if (statuses.size() == 1) Pause("watching");
  }
  reader->Finish();
  return Observed().List("statuses", statuses).Raw("again", FirstStatus(*stub));
}

Observed Restart(Scenario& scenario) {
  const std::string before = Generate(scenario).Json();
  Pause("restart");
  return Observed().Raw("before", before).Raw("after", Generate(scenario).Json());
}

Observed Drain(Scenario& scenario) {
  const auto request = Decoded<v1::GenerateRequest>(scenario.plan());
  const int count = scenario.Count("streams");
  std::vector<interlingua::Stream> open;
  std::vector<Seen> seen(static_cast<std::size_t>(count));
  open.reserve(seen.size());
  for (Seen& one : seen) {
    open.push_back(scenario.client().StreamGenerate(request, scenario.Options()));
    if (const auto* event = open.back().Next()) one.Add(*event);
  }
  Pause("streaming");
  std::vector<std::string> streams;
  for (std::size_t at = 0; at < open.size(); ++at) {
    streams.push_back(Read(scenario, std::move(open[at]), seen[at], /*with_events=*/false).Json());
  }
  Pause("drained");
  // `calls` means here how many calls there are, each of which is told.
  std::vector<std::string> calls;
  for (int turn = 0; turn < scenario.Count("calls"); ++turn) {
    Observed one;
    try {
      one.Text("text",
               interlingua::TextOf(scenario.client().Generate(request, scenario.Options())));
    } catch (const Error& error) {
      one.Failure(error);
    }
    calls.push_back(one.Json());
  }
  return Observed().List("streams", streams).List("calls", calls);
}

Observed Perform(const Struct& plan, const Client& client) {
  static const std::map<std::string, Observed (*)(Scenario&)> kOperations{
      {"generate", Generate},
      {"stream", Stream},
      {"embed", Embed},
      {"batch", Batch},
      {"count_tokens", CountTokens},
      {"health", Health},
      {"list_models", ListModels},
      {"build", Build},
      {"watch", Watch},
      {"restart", Restart},
      {"drain", Drain}};
  const auto found = kOperations.find(TextMember(plan, "op"));
  if (found == kOperations.end()) return Observed().Text("crash", "unknown op");
  try {
    Scenario scenario(plan, client);
    return found->second(scenario);
  } catch (const std::exception& error) {
    return Observed().Text("crash", error.what());
  }
}

}  // namespace
}  // namespace conformance

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: conformance_runner ADDRESS PLAN\n";
    return 2;
  }
  const interlingua::Client client(argv[1]);
  const auto plan = interlingua::FromJson<conformance::Struct>(conformance::FileText(argv[2]));
  for (const auto& scenario : conformance::Member(plan, "scenarios").list_value().values()) {
    const auto observed = conformance::Perform(scenario.struct_value(), client);
    std::cout << conformance::Observed()
                     .Text("scenario", conformance::TextMember(scenario.struct_value(), "name"))
                     .Raw("observed", observed.Json())
                     .Json()
              << std::endl;
  }
}
