// A broker under load with one healthy guest and others that are stopped, and what the healthy one
// gets: in which order, how much of whom, how late.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ways_to_stop.hpp"

namespace fairlead::test {

/// One message as the healthy guest saw it.
struct Served {
  std::uint32_t principal = 0;
  std::uint32_t index = 0;  // of all that were published
  std::uint32_t bytes = 0;
  std::uint32_t content = 0;  // a hash of every byte
  std::uint64_t lost = 0;     // messages before it
  std::uint64_t sequence = 0;
  friend bool operator==(const Served&, const Served&) = default;
};

struct ServiceResult {
  std::string failure{};  // empty: it went as it should
  std::vector<Served> served;
  std::uint64_t evicted = 0;          // from the healthy route, by its own load
  std::uint64_t others_lost = 0;      // evicted from, or refused by, the routes of the others
  std::uint64_t slowest_turn_ms = 0;  // publishing a burst, and the guest's answer to it
};

/// `way`: null for the healthy guest alone. Two calls with one seed publish the same.
ServiceResult serve(WayToStop* way, std::uint64_t seed, std::uint64_t bursts);

struct LatencyResult {
  std::string failure{};
  std::uint64_t blocks = 0;  // of each kind
  double alone_ns = 0;       // median of the blocks' medians
  double with_stopped_ns = 0;
  double ratio = 0;  // median over neighbouring blocks
};

/// Blocks in which the others' gates are retired and blocks in which they are open take turns, so
/// that what else the machine does hits both. The broker is busy with the others' routes, which are
/// full, between messages to the healthy guest; with `shared` those messages go to the others, too,
/// and each costs a copy for each of them first (R14).
LatencyResult measure_latency(WayToStop& way, std::uint64_t seed, bool shared,
                              const std::function<bool(std::uint64_t blocks)>& go_on);

}  // namespace fairlead::test
