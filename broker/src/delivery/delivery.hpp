// All routes of a broker and the act of publishing into those that match (R06 to R14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fairlead/broker/publish.hpp>

#include "delivery/route.hpp"
#include "routing/pattern_trie.hpp"

namespace fairlead::broker {

using RouteId = std::uint32_t;  // dense, reused after removal; the subscription number never is

// A publish in progress: which routes are left. Lives outside Delivery so that a large one can
// pause while others go on (R33). Routes that end meanwhile are skipped; routes that begin are not
// added.
struct FanOut {
  std::string principal;
  std::string topic;
  shm::MessageStamp stamp{};
  std::vector<std::pair<RouteId, std::uint64_t>> routes;  // and the subscription number it had
  std::size_t next = 0;
  PublishReport report;
  [[nodiscard]] bool finished() const noexcept { return next == routes.size(); }
};

// Not thread-safe; the broker's mutex guards it.
class Delivery {
 public:
  // `first_sequence`: above every number of earlier lives.
  explicit Delivery(std::uint64_t first_sequence) noexcept : next_sequence_(first_sequence) {}

  RouteId add(std::unique_ptr<Route> route);
  void remove(RouteId id);  // destroys the Route; its memory may go afterwards
  // Another Route of the same subscription in its place, for fan-outs in progress, too.
  void replace(RouteId id, std::unique_ptr<Route> route) noexcept;
  [[nodiscard]] Route* find(RouteId id) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return live_; }
  void for_each(const std::function<void(RouteId, Route&)>& visit);

  // Checks topic and principal (R04), stamps (R08), matches (R14). On a refusal of the whole
  // publish the fan-out is finished at once and its report says why.
  void begin(FanOut& fan_out, std::string_view principal, std::string_view topic,
             std::uint64_t payload_bytes, std::uint64_t publisher, std::uint64_t publish_number,
             std::uint64_t now_nanoseconds);
  // Pushes into at most `most_routes` further routes; returns how many it visited. The payload must
  // be the same bytes each time. With `stop_when_full`, a route of policy reject that is full is
  // not counted as a refusal: the call stops before it and sets `blocked` (R21).
  std::size_t proceed(FanOut& fan_out, std::span<const std::byte> payload, std::size_t most_routes,
                      bool stop_when_full, bool& blocked);
  // A guest's fan-out has come to its end, with a receipt or without.
  void end(const FanOut& fan_out) noexcept { in_flight_.end(fan_out.stamp.sequence); }
  [[nodiscard]] const InFlight& in_flight() const noexcept { return in_flight_; }
  // Both in one, without pauses.
  PublishReport publish(std::string_view principal, std::string_view topic,
                        std::span<const std::byte> payload, std::uint64_t publisher,
                        std::uint64_t publish_number, std::uint64_t now_nanoseconds);

  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_sequence_; }
  // Routes that would take a message now: used by loans.
  void match(std::string_view topic, std::vector<RouteId>& out) const { trie_.match(topic, out); }
  std::uint64_t take_sequence() noexcept { return next_sequence_++; }

 private:
  PatternTrie trie_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::vector<RouteId> free_ids_;
  std::vector<Route*> touched_;   // scratch
  std::vector<RouteId> matched_;  // scratch
  FanOut whole_;                  // scratch of publish()
  InFlight in_flight_;
  std::size_t live_ = 0;
  std::uint64_t next_sequence_;
};

}  // namespace fairlead::broker
