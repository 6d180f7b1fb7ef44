#include "check.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <string_view>
#include <thread>
#include <nlohmann/json.hpp>

#include <fairlead/guest/guest.hpp>

#include "streams.hpp"

namespace fairlead::demonstration {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kDrainBytes = 32 * 1024;
// Messages between two naps of a slow guest: several naps fall into the flooder's bursts.
constexpr std::uint64_t kMessagesPerNap = 20'000;

// What has come of one principal.
struct Stream {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lost = 0;       // reported in-band, by the message after the gap
  std::uint64_t announced = 0;  // tokens that the end says were sent
  std::size_t compared = 0;     // bytes of the text that matched so far
  bool broken = false;
  bool ended = false;
};

class Checker {
 public:
  Checker(const CheckOptions& options, std::string_view text) : options_(options), text_(text) {}

  void take(const guest::Message& message) {
    Stream& stream = streams_[std::string(message.principal())];
    stream.lost += message.lost_messages();
    if (message.topic() == kEndTopic) {
      stream.announced = std::stoull(std::string(message.text()));
      stream.ended = true;
      ++ended_;
      return;
    }
    ++stream.messages;
    stream.bytes += message.payload().size();
    if (message.principal() == kFlooder) return;  // repeats itself and has gaps: it is counted
    const std::string_view token = message.text();
    const bool fits = stream.compared <= text_.size();
    if (!fits || text_.substr(stream.compared, token.size()) != token) stream.broken = true;
    stream.compared += token.size();
  }

  void ended_lanes_lost(std::uint64_t messages) { ended_lost_ += messages; }

  [[nodiscard]] bool finished() const { return ended_ == options_.principals + 1; }
  [[nodiscard]] double progress() const {
    const auto found = streams_.find(principal_name(0));
    return found == streams_.end()
               ? 0
               : static_cast<double>(found->second.compared) / static_cast<double>(text_.size());
  }

  [[nodiscard]] bool complete(const Stream& stream) const {
    return stream.ended && !stream.broken && stream.lost == 0 && stream.compared == text_.size();
  }

  // The verdict, as the demonstration's table wants it.
  [[nodiscard]] nlohmann::json result(shm::Boundary boundary, std::uint64_t refused) const {
    nlohmann::json served = nlohmann::json::object();
    std::size_t whole = 0;
    std::vector<double> shares;
    Stream flooder;
    for (const auto& [principal, stream] : streams_) {
      served[principal] = stream.bytes;
      if (principal == kFlooder) {
        flooder = stream;
        continue;
      }
      shares.push_back(static_cast<double>(stream.bytes));
      whole += complete(stream) ? 1 : 0;
    }
    shares.resize(std::max(shares.size(), options_.principals));  // who was served nothing counts
    const std::uint64_t missing = flooder.announced - flooder.messages;
    const std::uint64_t reported = flooder.lost + ended_lost_;
    return {{"name", options_.name},
            {"boundary", boundary == shm::Boundary::enforced ? "enforced" : "cooperative"},
            {"complete", whole},
            {"principals", options_.principals},
            {"jain", jain_index(shares)},
            {"flood_sent", flooder.announced},
            {"flood_received", flooder.messages},
            {"flood_missing", missing},
            {"flood_reported", reported},
            {"refused", refused},
            {"failed", failed_check(whole, flooder.ended, missing, reported)},
            {"bytes", served}};
  }

 private:
  // Empty: all is as it should be.
  [[nodiscard]] std::string failed_check(std::size_t whole, bool flooder_ended,
                                         std::uint64_t missing, std::uint64_t reported) const {
    if (whole != options_.principals) {
      return "only " + std::to_string(whole) + " of " + std::to_string(options_.principals) +
             " quiet streams are complete";
    }
    if (!flooder_ended) return "the end of the flooder's stream did not come";
    if (missing == reported) return "";
    return std::to_string(missing) + " of the flooder's messages are missing, " +
           std::to_string(reported) + " were reported as lost";
  }

  const CheckOptions& options_;
  std::string_view text_;
  std::map<std::string, Stream> streams_;
  std::size_t ended_ = 0;
  std::uint64_t ended_lost_ = 0;
};

void show_progress(const CheckOptions& options, const Checker& checker, Clock::time_point& next) {
  if (Clock::now() < next) return;
  next = Clock::now() + std::chrono::seconds(1);
  std::fprintf(stderr, "%s: %3.0f %%\n", options.name.c_str(), 100 * checker.progress());
}

}  // namespace

int check(const CheckOptions& options) {
  const std::string text = read_file(options.file);
  guest::AttachOptions attach;
  attach.socket_path = options.socket;
  attach.principal = options.principal;
  attach.program = "demo check " + options.name;
  guest::Guest guest = guest::Guest::attach(std::move(attach));
  guest::SubscribeOptions subscribe;
  subscribe.eviction = shm::EvictionPolicy::fair_share;
  subscribe.budget_bytes = options.budget_bytes;
  guest::Subscription route = guest.subscribe(kPattern, subscribe);
  std::fprintf(stderr, "%s: attached as %s, boundary %s: %s\n", options.name.c_str(),
               guest.welcome().principal.empty() ? "system" : guest.welcome().principal.c_str(),
               route.boundary() == shm::Boundary::enforced ? "enforced" : "cooperative",
               guest.welcome().boundary_reason.c_str());

  Checker checker(options, text);
  std::uint64_t until_nap = kMessagesPerNap;
  Clock::time_point next = Clock::now() + std::chrono::seconds(1);
  while (!checker.finished()) {
    guest::Batch batch = route.drain(kDrainBytes);
    const std::size_t drained = batch.size();
    for (const guest::Message& message : batch) checker.take(message);
    checker.ended_lanes_lost(batch.ended_loss().messages);
    show_progress(options, checker, next);
    // Given back before the nap: what a guest holds occupies its segment, until its route refuses
    // (R22). The small byte budget is for the same reason.
    batch = {};
    if (options.nap_milliseconds > 0 && drained >= until_nap) {
      std::this_thread::sleep_for(std::chrono::milliseconds(options.nap_milliseconds));
      until_nap = kMessagesPerNap;
    }
    until_nap -= std::min<std::uint64_t>(until_nap - 1, drained);
    if (drained > 0) continue;
    const guest::WaitOutcome waited = route.wait(std::chrono::milliseconds(options.milliseconds));
    if (waited == guest::WaitOutcome::ready || waited == guest::WaitOutcome::interrupted) continue;
    throw Error(ErrorCode::timeout,
                options.name + ": the streams stopped: " + std::string(guest::to_string(waited)));
  }
  const auto& header = *reinterpret_cast<const shm::RouteHeader*>(route.mapping().data());
  const nlohmann::json result =
      checker.result(route.boundary(), header.counters.refused.load(std::memory_order_relaxed));
  if (options.result == "-") {
    std::cout << result.dump() << std::endl;
  } else {
    std::ofstream(options.result) << result.dump() << '\n';
  }
  std::fprintf(stderr, "%s: done\n", options.name.c_str());
  if (options.linger) std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  return result.at("failed").get<std::string>().empty() ? 0 : 1;
}

}  // namespace fairlead::demonstration
