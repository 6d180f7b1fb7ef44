// When routes are looked at without a publish: to give memory back, to keep the counters that the
// dump tool reads fresh, and to notice cursors that make no sense.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace fairlead::broker {

// Passes over all routes, in slices. Soon after publishes, then ever more rarely while something is
// still queued or held, and never when all routes are empty: an idle broker sleeps.
class Maintenance {
 public:
  static constexpr std::uint64_t kShortest = 50'000'000;  // nanoseconds
  static constexpr std::uint64_t kLongest = 5'000'000'000;
  static constexpr std::uint32_t kSlice = 256;  // routes

  /// Nothing new would come of touch().
  [[nodiscard]] bool touched() const noexcept { return touched_; }

  /// Something was published. True when a sleeping service thread must be woken to know it.
  bool touch(std::uint64_t now) noexcept {
    if (touched_) return false;
    touched_ = true;
    pause_ = kShortest;
    const std::uint64_t soon = now + kShortest;
    const bool sooner = !due_ || *due_ > soon;
    if (sooner) due_ = soon;
    return sooner;
  }

  [[nodiscard]] std::optional<std::uint64_t> due() const noexcept { return due_; }

  /// The next slice [first, end) of route ids if one is due; `routes` is one past the highest id.
  [[nodiscard]] bool begin_slice(std::uint64_t now, std::uint32_t routes, std::uint32_t& first,
                                 std::uint32_t& end) noexcept {
    if (!due_ || *due_ > now) return false;
    if (next_ == 0) {
      touched_ = false;
      busy_ = false;
    }
    first = std::min(next_, routes);
    end = std::min(first + kSlice, routes);
    return true;
  }

  /// `busy`: a route of the slice still has something to be looked at later.
  void end_slice(std::uint64_t now, std::uint32_t routes, std::uint32_t end, bool busy) noexcept {
    busy_ = busy_ || busy;
    if (end < routes) {
      next_ = end;
      return;
    }
    next_ = 0;
    if (touched_) {
      due_ = now + kShortest;
    } else if (busy_) {
      due_ = now + pause_;
      pause_ = std::min(pause_ * 2, kLongest);
    } else {
      due_.reset();
    }
  }

 private:
  std::optional<std::uint64_t> due_;
  std::uint64_t pause_ = kShortest;
  std::uint32_t next_ = 0;  // first route of the next slice
  bool touched_ = false;
  bool busy_ = false;
};

}  // namespace fairlead::broker
