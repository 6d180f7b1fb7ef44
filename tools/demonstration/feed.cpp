#include "feed.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <thread>
#include <vector>

#include <fairlead/guest/guest.hpp>

#include "streams.hpp"

namespace fairlead::demonstration {
namespace {

using Clock = std::chrono::steady_clock;

// The flooder sends its share of a whole burst at once: many times what a route may hold.
constexpr std::size_t kBursts = 10;

constexpr guest::PublishOptions kAsynchronous{.block_for = std::chrono::seconds(20),
                                              .wait_for_receipt = std::chrono::nanoseconds(0)};

struct Source {
  guest::Guest guest;
  guest::Publisher publisher;
};

Source attach_as(const std::string& socket, const std::string& principal) {
  guest::AttachOptions options;
  options.socket_path = socket;
  options.principal = principal;
  options.program = "demo feed";
  guest::Guest guest = guest::Guest::attach(std::move(options));
  guest::Publisher publisher = guest.publisher({.ring_bytes = 64 * 1024});
  return {std::move(guest), std::move(publisher)};
}

void publish(guest::Publisher& publisher, std::string_view topic, std::string_view payload) {
  const guest::PublishOutcome outcome = publisher.publish(topic, payload, kAsynchronous);
  if (outcome.number == 0)
    throw Error(ErrorCode::disconnected,
                "publish failed: " + std::string(guest::to_string(outcome.status)));
}

// Says how many tokens there were and waits until the broker has everything.
void finish(guest::Publisher& publisher, std::size_t tokens) {
  publish(publisher, kEndTopic, std::to_string(tokens));
  if (publisher.flush(std::chrono::seconds(20)) != guest::FlushOutcome::done)
    throw Error(ErrorCode::timeout, "the broker did not take the whole stream within 20 s");
}

void flood(Source& source, const std::vector<std::string_view>& tokens, std::size_t factor,
           Clock::duration pause) {
  const std::size_t total = tokens.size() * factor;
  std::size_t sent = 0;
  Clock::time_point next = Clock::now();
  for (std::size_t burst = 1; burst <= kBursts; ++burst, next += pause) {
    std::this_thread::sleep_until(next);  // pacing of the load, nobody waits for it
    for (const std::size_t end = total * burst / kBursts; sent < end; ++sent)
      publish(source.publisher, kTokenTopic, tokens[sent % tokens.size()]);
  }
  finish(source.publisher, total);
}

}  // namespace

int feed(const FeedOptions& options) {
  const std::string text = read_file(options.file);
  const std::vector<std::string_view> tokens = tokens_of(text);
  std::vector<Source> quiet;
  for (std::size_t each = 0; each < options.principals; ++each)
    quiet.push_back(attach_as(options.socket, principal_name(each)));
  Source flooder = attach_as(options.socket, std::string(kFlooder));

  const auto whole =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  std::exception_ptr flood_error;
  std::thread flooding([&] {
    try {
      flood(flooder, tokens, options.flood, whole / static_cast<long>(kBursts));
    } catch (...) {
      flood_error = std::current_exception();
    }
  });
  std::exception_ptr error;
  try {
    const Clock::time_point start = Clock::now();
    for (std::size_t word = 0; word < tokens.size(); ++word) {
      std::this_thread::sleep_until(start + whole * static_cast<long>(word) /
                                                static_cast<long>(tokens.size()));
      for (Source& source : quiet) publish(source.publisher, kTokenTopic, tokens[word]);
    }
    for (Source& source : quiet) finish(source.publisher, tokens.size());
  } catch (...) {
    error = std::current_exception();
  }
  flooding.join();
  if (error) std::rethrow_exception(error);
  if (flood_error) std::rethrow_exception(flood_error);
  std::fprintf(stderr, "feed: %zu principals sent %zu tokens each, the flooder %zu\n",
               options.principals, tokens.size(), tokens.size() * options.flood);
  return 0;
}

}  // namespace fairlead::demonstration
