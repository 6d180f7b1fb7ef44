// Time-outs as deadlines that do not overflow.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace fairlead::guest {

using SteadyTime = std::chrono::steady_clock::time_point;

[[nodiscard]] inline SteadyTime deadline_after(
    std::chrono::nanoseconds timeout, SteadyTime from = std::chrono::steady_clock::now()) noexcept {
  if (timeout <= std::chrono::nanoseconds(0)) return from;
  return timeout > SteadyTime::max() - from ? SteadyTime::max() : from + timeout;
}

/// For poll(), rounded up: never early; a minute at most.
[[nodiscard]] inline int milliseconds_until(SteadyTime moment) noexcept {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(moment - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

}  // namespace fairlead::guest
