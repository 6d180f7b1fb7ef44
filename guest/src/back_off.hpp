// How long to wait between attempts to reach a broker that is away.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include <fairlead/shm/clock.hpp>

namespace fairlead::guest {

/// 1 ms, doubling to 250 ms; each is shortened by up to a half, so that a broker's guests do not
/// all come back in the same instant. One thread at a time.
class BackOff {
 public:
  void reset() noexcept { step_ = kFirst; }

  [[nodiscard]] std::chrono::nanoseconds next() noexcept {
    const std::chrono::nanoseconds step = step_;
    step_ = std::min(step_ * 2, kLongest);
    // No better than it must be: xorshift.
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    const auto half = static_cast<std::uint64_t>(step.count() / 2);
    return step - std::chrono::nanoseconds(static_cast<std::int64_t>(random_ % (half + 1)));
  }

 private:
  static constexpr std::chrono::nanoseconds kFirst = std::chrono::milliseconds(1);
  static constexpr std::chrono::nanoseconds kLongest = std::chrono::milliseconds(250);

  std::chrono::nanoseconds step_ = kFirst;
  std::uint64_t random_ = shm::monotonic_ns() | 1;
};

}  // namespace fairlead::guest
