// The client against a server of gRPC's own in this process, on a Unix socket.
#include "interlingua/client.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "interlingua/messages.h"

namespace interlingua {
namespace {

// Something that happens once and can be waited for.
class Moment {
 public:
  void Come() {
    const std::scoped_lock lock(mutex_);
    come_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return come_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool come_ = false;
};

using Writer = grpc::ServerWriter<v1::StreamGenerateResponse>;

class Gateway final : public v1::GatewayService::Service {
 public:
  std::function<grpc::Status(grpc::ServerContext*, Writer*)> stream;
  std::function<grpc::Status(int call)> generate;
  std::multimap<std::string, std::string> metadata;
  Moment cancelled;

  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        v1::GenerateResponse* response) override {
    for (const auto& [key, value] : context->client_metadata()) {
      metadata.emplace(std::string(key.data(), key.size()),
                       std::string(value.data(), value.size()));
    }
    response->add_candidates()->add_parts()->set_text(request->messages(0).parts(0).text());
    return generate ? generate(++calls_) : grpc::Status::OK;
  }

  grpc::Status StreamGenerate(grpc::ServerContext* context, const v1::GenerateRequest* /*request*/,
                              Writer* writer) override {
    return stream(context, writer);
  }

  grpc::Status BatchGenerate(grpc::ServerContext* /*context*/,
                             const v1::BatchGenerateRequest* /*request*/,
                             grpc::ServerWriter<v1::BatchGenerateResponse>* writer) override {
    v1::BatchGenerateResponse item;
    item.set_index(1);
    item.mutable_response()->set_operation_id("second");
    writer->Write(item);
    item.set_index(0);
    item.mutable_error()->set_code(grpc::StatusCode::INVALID_ARGUMENT);
    writer->Write(item);
    return {grpc::StatusCode::UNAVAILABLE, "connection lost"};
  }

  // Writes nothing more until the caller has left.
  grpc::Status WaitForCancel(grpc::ServerContext* context) {
    while (!context->IsCancelled()) std::this_thread::yield();
    cancelled.Come();
    return grpc::Status::CANCELLED;
  }

 private:
  std::atomic<int> calls_ = 0;
};

void Say(Writer* writer, std::uint64_t sequence, const std::string& text) {
  v1::StreamGenerateResponse event;
  event.set_sequence(sequence);
  event.set_text_delta(text);
  writer->Write(event);
}

void Complete(Writer* writer, std::uint64_t sequence) {
  v1::StreamGenerateResponse event;
  event.set_sequence(sequence);
  event.mutable_completed()->mutable_usage()->set_output_tokens(2);
  writer->Write(event);
}

class ClientTest : public testing::Test {
 protected:
  ClientTest()
      : directory_(std::filesystem::temp_directory_path() /
                   ("interlingua-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(directory_);
    address_ = "unix:" + (directory_ / "socket").string();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&gateway_);
    server_ = builder.BuildAndStart();
  }
  ~ClientTest() override {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    std::filesystem::remove_all(directory_);
  }
  ClientTest(const ClientTest&) = delete;
  ClientTest& operator=(const ClientTest&) = delete;

  [[nodiscard]] Client NewClient(ClientOptions options = {}) const {
    return Client(address_, std::move(options));
  }

  std::filesystem::path directory_;
  std::string address_;
  Gateway gateway_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(ClientTest, SendsCredentialsAndTraceContext) {
  const Client client = NewClient({.api_key = "il_1_x"});
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto response =
      client.Generate(Request("", User("Hi")), {.traceparent = trace, .metadata = {{"x-a", "b"}}});
  EXPECT_EQ(TextOf(response), "Hi");
  EXPECT_EQ(gateway_.metadata.find("authorization")->second, "Bearer il_1_x");
  EXPECT_EQ(gateway_.metadata.find("traceparent")->second, trace);
  EXPECT_EQ(gateway_.metadata.find("x-a")->second, "b");
}

TEST_F(ClientTest, AsksItsTokenSourceBeforeEveryCall) {
  int asked = 0;
  const Client client =
      NewClient({.token_source = [&asked] { return "token" + std::to_string(++asked); }});
  (void)client.Generate(Request("", User("Hi")));
  (void)client.Generate(Request("", User("Hi")));
  const auto [first, last] = gateway_.metadata.equal_range("authorization");
  std::set<std::string> sent;
  for (auto at = first; at != last; ++at) sent.insert(at->second);
  EXPECT_EQ(sent, (std::set<std::string>{"Bearer token1", "Bearer token2"}));
}

TEST_F(ClientTest, SendsAgainWhatWasUnavailable) {
  gateway_.generate = [](int call) {
    return call < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet") : grpc::Status::OK;
  };
  EXPECT_EQ(TextOf(NewClient().Generate(Request("", User("Hi")))), "Hi");
}

TEST_F(ClientTest, StreamsText) {
  gateway_.stream = [](grpc::ServerContext*, Writer* writer) {
    Say(writer, 0, "Hel");
    Say(writer, 1, "lo");
    Complete(writer, 2);
    return grpc::Status::OK;
  };
  const Client client = NewClient();
  auto stream = client.StreamGenerate(Request("", User("Hi")));
  std::string text;
  for (const std::string_view delta : stream.Text()) text += delta;
  EXPECT_EQ(text, "Hello");
  ASSERT_NE(stream.completed(), nullptr);
  EXPECT_EQ(stream.completed()->usage().output_tokens(), 2);
  EXPECT_EQ(stream.Next(), nullptr);
}

// How reading a stream to its end fails, and that it goes on failing.
grpc::StatusCode Failure(Stream& stream) {
  try {
    while (stream.Next() != nullptr) {
    }
  } catch (const Error& error) {
    EXPECT_THROW(stream.Next(), Error);
    EXPECT_EQ(stream.completed(), nullptr);
    return error.code();
  }
  return grpc::StatusCode::OK;
}

TEST_F(ClientTest, ABrokenStreamNeverLooksWhole) {
  const Client client = NewClient();
  const auto failure = [&](auto&& script) {
    gateway_.stream = [script](grpc::ServerContext*, Writer* writer) { return script(writer); };
    auto stream = client.StreamGenerate(Request("", User("Hi")));
    return Failure(stream);
  };
  EXPECT_EQ(failure([](Writer* writer) {
              Say(writer, 0, "Hel");
              return grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection reset");
            }),
            grpc::StatusCode::ABORTED);
  EXPECT_EQ(failure([](Writer* writer) {
              Say(writer, 0, "Hel");
              return grpc::Status::OK;
            }),
            grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(failure([](Writer* writer) {
              Say(writer, 0, "Hel");
              Complete(writer, 2);
              return grpc::Status::OK;
            }),
            grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(failure([](Writer* writer) {
              Complete(writer, 0);
              return grpc::Status(grpc::StatusCode::INTERNAL, "late");
            }),
            grpc::StatusCode::ABORTED);
}

TEST_F(ClientTest, LeavingAStreamCancelsIt) {
  gateway_.stream = [this](grpc::ServerContext* context, Writer* writer) {
    Say(writer, 0, "Hel");
    return gateway_.WaitForCancel(context);
  };
  const Client client = NewClient();
  {
    auto stream = client.StreamGenerate(Request("", User("Hi")));
    for (const std::string_view delta : stream.Text()) {
      EXPECT_EQ(delta, "Hel");
      break;
    }
  }
  gateway_.cancelled.Wait();
}

TEST_F(ClientTest, AStopRequestEndsAStreamThatIsWaitedFor) {
  Moment begun;
  gateway_.stream = [&](grpc::ServerContext* context, Writer*) {
    begun.Come();
    return gateway_.WaitForCancel(context);
  };
  const Client client = NewClient();
  std::stop_source source;
  auto stream = client.StreamGenerate(Request("", User("Hi")), {.stop = source.get_token()});
  const std::jthread stopper([&] {
    begun.Wait();
    source.request_stop();
  });
  EXPECT_EQ(Failure(stream), grpc::StatusCode::CANCELLED);
  gateway_.cancelled.Wait();
}

TEST_F(ClientTest, ADeadlineIsTheCallersOwn) {
  gateway_.stream = [this](grpc::ServerContext* context, Writer*) {
    return gateway_.WaitForCancel(context);
  };
  const Client client = NewClient();
  auto stream =
      client.StreamGenerate(Request("", User("Hi")), {.timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(Failure(stream), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ClientTest, ABatchKeepsItsOrderAndItsFailures) {
  v1::BatchGenerateRequest request;
  for (int count = 0; count < 3; ++count) *request.add_requests() = Request("", User("Hi"));
  const auto results = NewClient().BatchGenerate(request);
  ASSERT_EQ(results.size(), 3);
  EXPECT_EQ(std::get<Error>(results[0]).code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(std::get<v1::GenerateResponse>(results[1]).operation_id(), "second");
  EXPECT_EQ(std::get<Error>(results[2]).code(), grpc::StatusCode::ABORTED);
}

TEST_F(ClientTest, AMethodThatTheGatewayLacksIsAnError) {
  try {
    (void)NewClient().ListModels();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), grpc::StatusCode::UNIMPLEMENTED);
  }
}

}  // namespace
}  // namespace interlingua
