// An answer as it comes: a range of events that is whole only if it was read to its end.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "interlingua/error.h"
#include "interlingua/v1/gateway_service.grpc.pb.h"

namespace interlingua {

// What one call on the wire needs while it lasts; made by Client.
struct Wire {
  grpc::ClientContext context;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

class Stream;

// An input iterator over what `Source` finds in a stream: `Advance` goes to the next element and
// says whether there is one, `Current` is it.
template <class Source>
class StreamIterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using difference_type = std::ptrdiff_t;
  using value_type = std::remove_cvref_t<decltype(std::declval<Source>().Current())>;

  explicit StreamIterator(Stream* stream) : source_(stream), more_(source_.Advance()) {}
  decltype(auto) operator*() const { return source_.Current(); }
  StreamIterator& operator++() {
    more_ = source_.Advance();
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const { return !more_; }

 private:
  Source source_;
  bool more_;
};

// Every event of a stream.
class EventSource {
 public:
  explicit EventSource(Stream* stream) : stream_(stream) {}
  bool Advance();
  [[nodiscard]] const v1::StreamGenerateResponse& Current() const { return *event_; }

 protected:
  Stream* stream_;
  const v1::StreamGenerateResponse* event_ = nullptr;
};

// The text of the first candidate, delta by delta.
class TextSource : private EventSource {
 public:
  using EventSource::EventSource;
  bool Advance();
  [[nodiscard]] std::string_view Current() const { return event_->text_delta(); }
};

// A range over a stream, for one pass.
template <class Source>
class StreamRange {
 public:
  explicit StreamRange(Stream* stream) : stream_(stream) {}
  [[nodiscard]] StreamIterator<Source> begin() const { return StreamIterator<Source>(stream_); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  Stream* stream_;
};

// The events of StreamGenerate, one after the other.
//
//   for (const auto& event : stream) ...             every event
//   for (std::string_view text : stream.Text()) ...  the text of the first candidate
//
// Reading throws Error if the stream did not reach its end: ABORTED if it broke off after its first
// event, whatever came before. Destroying a stream that was not read to its end, or Cancel, ends
// the call at once, in the gateway and at the provider. A stream belongs to one thread; Cancel may
// be called from any.
class Stream {
 public:
  using Reader = grpc::ClientReader<v1::StreamGenerateResponse>;

  Stream(std::unique_ptr<Wire> wire, std::unique_ptr<Reader> reader);
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) = delete;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  // The next event, or null at the end of a whole answer; it is valid until the next one is read.
  // Throws Error, the same one again after the stream has failed.
  const v1::StreamGenerateResponse* Next();

  // Ends the call at once; the next event is then an Error with CANCELLED.
  void Cancel() { wire_->context.TryCancel(); }

  // What the whole call used, cost and met on its way; null before the end.
  [[nodiscard]] const v1::StreamCompleted* completed() const {
    return completed_ ? &*completed_ : nullptr;
  }

  StreamIterator<EventSource> begin() { return StreamIterator<EventSource>(this); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }
  StreamRange<TextSource> Text() { return StreamRange<TextSource>(this); }

 private:
  [[noreturn]] void Break(const std::string& why);
  [[noreturn]] void Fail(const Error& failure);

  std::unique_ptr<Wire> wire_;
  std::unique_ptr<Reader> reader_;
  v1::StreamGenerateResponse event_;
  std::optional<v1::StreamCompleted> completed_;
  std::optional<Error> failure_;
  std::uint64_t events_ = 0;
  bool ended_ = false;
};

// Adds up the events of a stream to what Generate would have answered.
class Assembly {
 public:
  void Add(const v1::StreamGenerateResponse& event);
  // The answer so far; whole once `completed` was among the events.
  [[nodiscard]] const v1::GenerateResponse& response() const { return response_; }

 private:
  v1::Candidate* CandidateOf(std::size_t index);
  void AddCall(std::uint32_t index, const v1::ToolCallDelta& delta);

  v1::GenerateResponse response_;
  // Which part a tool call is written to, by candidate and number of the call.
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> calls_;
};

}  // namespace interlingua
