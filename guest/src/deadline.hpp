// Time-outs as deadlines that do not overflow.
#pragma once

#include <chrono>

namespace fairlead::guest {

using SteadyTime = std::chrono::steady_clock::time_point;

[[nodiscard]] inline SteadyTime deadline_after(
    std::chrono::nanoseconds timeout, SteadyTime from = std::chrono::steady_clock::now()) noexcept {
  if (timeout <= std::chrono::nanoseconds(0)) return from;
  return timeout > SteadyTime::max() - from ? SteadyTime::max() : from + timeout;
}

}  // namespace fairlead::guest
