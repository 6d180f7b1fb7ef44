// A scenario, again and again, with its victim killed at one point after the other.
#pragma once

#include <cstdint>
#include <string>

#include "puppet.hpp"
#include "scenarios.hpp"

namespace fairlead::killing {

struct EveryPoint {
  std::uint64_t points = 0;  // at which the victim was killed
  std::string complaints;    // of the first point that had any; empty: none had
};

/// Each in a process of its own; ends after the first point with complaints.
[[nodiscard]] EveryPoint kill_at_every_point(const Scenario& scenario, PointKind kind);

}  // namespace fairlead::killing
