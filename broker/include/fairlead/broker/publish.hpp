// What a publish came to (R11).
#pragma once

#include <cstdint>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::broker {

using Refusal = shm::Refusal;

struct PublishReport {
  std::uint64_t sequence = 0;  // stamped by the broker; 0 when the publish as a whole was refused
  std::uint32_t matched = 0;   // routes whose pattern matches and that admit the principal
  std::uint32_t taken = 0;     // of those, how many have it now
  std::uint32_t evicted = 0;   // messages that were evicted to make room, over all routes
  std::uint32_t refused = 0;   // matched - taken
  Refusal reason = Refusal::none;  // of the publish as a whole, or of the first route that refused
  [[nodiscard]] bool complete() const noexcept { return reason == Refusal::none; }
};

}  // namespace fairlead::broker
