// Messages of guests that have no receipt yet: until then their lanes stay, because the next broker
// looks there what was delivered (R34).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace fairlead::broker {

// By sequence number. Not thread-safe; the broker's mutex guards it.
class InFlight {
 public:
  /// `sequence` is greater than any before. Throws std::bad_alloc.
  void begin(std::uint64_t sequence) { sequences_.push_back(sequence); }
  void end(std::uint64_t sequence) noexcept {
    const auto found = std::lower_bound(sequences_.begin(), sequences_.end(), sequence);
    if (found != sequences_.end() && *found == sequence) sequences_.erase(found);
  }
  [[nodiscard]] bool contains(std::uint64_t sequence) const noexcept {
    return std::binary_search(sequences_.begin(), sequences_.end(), sequence);
  }

 private:
  std::vector<std::uint64_t> sequences_;  // ascending
};

}  // namespace fairlead::broker
