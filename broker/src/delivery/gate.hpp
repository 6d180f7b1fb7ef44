// The gate that all routes of one guest share (R13).
#pragma once

#include <cstdint>
#include <limits>

namespace fairlead::broker {

// A gate is a span of sequence numbers: routes behind it admit a message when its number lies
// inside. Opening and retiring change one word each, so they take effect for all of a guest's
// routes between two publishes. Guarded by the broker's mutex.
class Gate {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  explicit Gate(bool open) noexcept : from_(open ? 0 : kNever) {}

  // From `next_sequence` on.
  void open(std::uint64_t next_sequence) noexcept {
    from_ = next_sequence;
    until_ = kNever;
  }
  void retire(std::uint64_t next_sequence) noexcept { until_ = next_sequence; }

  [[nodiscard]] bool admits(std::uint64_t sequence) const noexcept {
    return sequence >= from_ && sequence < until_;
  }
  // What it admits from now on, as the route table shows it: kNever when retired.
  [[nodiscard]] std::uint64_t admits_from() const noexcept {
    return until_ == kNever ? from_ : kNever;
  }

 private:
  std::uint64_t from_;
  std::uint64_t until_ = kNever;
};

}  // namespace fairlead::broker
