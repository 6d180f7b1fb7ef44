// A token bucket in whole numbers: no drift, no overflow, no clock of its own (R31).
#pragma once

#include <cstdint>

namespace fairlead::broker {

// `units` flow in per `period_nanoseconds`, until `burst` are there. A zero period counts as one
// nanosecond; a rate above what 64 bits can hold (18 GB per second) is lowered to that.
struct RateLimit {
  std::uint64_t units = 0;
  std::uint64_t period_nanoseconds = 1'000'000'000;
  std::uint64_t burst = 0;

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

inline constexpr std::uint64_t kNever = UINT64_MAX;

// Times are nanoseconds of one monotonic clock; a time before the last one seen counts as that one.
// In any interval of t nanoseconds at most burst + t * units / period units are taken, and a taker
// that never lets the bucket fill up gets that number exactly: the fraction of a unit is kept.
// Not thread-safe.
class TokenBucket {
 public:
  /// Starts full.
  TokenBucket(RateLimit limit, std::uint64_t now) noexcept;

  /// All of `units` or, with false, nothing.
  [[nodiscard]] bool take(std::uint64_t units, std::uint64_t now) noexcept;

  [[nodiscard]] std::uint64_t available(std::uint64_t now) const noexcept;

  /// Nanoseconds from `now` until take(units) would succeed: 0 at once, kNever if the burst is less
  /// than that, nothing flows in, or the wait would last longer than 64 bits can say (584 years).
  [[nodiscard]] std::uint64_t wait_for(std::uint64_t units, std::uint64_t now) const noexcept;

  [[nodiscard]] bool full(std::uint64_t now) const noexcept {
    return available(now) == limit_.burst;
  }

  /// For a policy that changed: what is in the bucket stays, as far as the new burst holds it.
  void change(RateLimit limit, std::uint64_t now) noexcept;

 private:
  void refill(std::uint64_t now) noexcept;

  RateLimit limit_;
  std::uint64_t tokens_;
  std::uint64_t fraction_ = 0;  // of the next token, in 1/period; less than the period
  std::uint64_t last_;
};

}  // namespace fairlead::broker
