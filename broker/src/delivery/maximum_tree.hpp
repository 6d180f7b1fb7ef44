// The largest of many numbers, each of which may change: a tournament of 16-way matches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fairlead::broker {

// Changing a value costs one match per level and there are as many levels as the *capacity* needs
// (four for 65,536), whatever the number of values: O(1) in the number of lanes (R20). Exact; ties
// go to the lowest index. Not thread-safe.
class MaximumTree {
 public:
  // Sets the value at `index`; grows as needed (may throw std::bad_alloc before anything changes).
  void set(std::size_t index, std::uint64_t value);
  [[nodiscard]] std::uint64_t at(std::size_t index) const noexcept {
    return levels_.empty() || index >= levels_.front().size() ? 0 : levels_.front()[index];
  }
  [[nodiscard]] std::uint64_t maximum() const noexcept {
    return levels_.empty() ? 0 : best(levels_.back());
  }
  // Matches that one change costs.
  [[nodiscard]] std::size_t height() const noexcept { return levels_.size(); }
  // Index of the maximum; 0 when all are zero.
  [[nodiscard]] std::size_t index_of_maximum() const noexcept;

 private:
  static constexpr std::size_t kWay = 16;
  using Level = std::vector<std::uint64_t>;

  [[nodiscard]] static std::uint64_t best(const Level& level) noexcept;
  void grow(std::size_t values);

  std::vector<Level> levels_;  // values, then maxima of 16 each, up to one level of at most 16
};

}  // namespace fairlead::broker
