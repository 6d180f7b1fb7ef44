#include "delivery/maximum_tree.hpp"

#include <algorithm>

namespace fairlead::broker {

std::uint64_t MaximumTree::best(const Level& level) noexcept {
  return *std::max_element(level.begin(), level.begin() + kWay);
}

void MaximumTree::grow(std::size_t values) {
  std::vector<Level> larger;
  std::size_t size = levels_.empty() ? kWay : levels_.front().size();
  while (size < values) size *= 2;
  Level below(size, 0);
  if (!levels_.empty()) std::copy(levels_.front().begin(), levels_.front().end(), below.begin());
  larger.push_back(std::move(below));
  while (larger.back().size() > kWay) {
    const Level& values_below = larger.back();
    Level above(std::max(kWay, (values_below.size() + kWay - 1) / kWay), 0);
    for (std::size_t each = 0; each < values_below.size(); ++each)
      above[each / kWay] = std::max(above[each / kWay], values_below[each]);
    larger.push_back(std::move(above));
  }
  levels_.swap(larger);
}

void MaximumTree::set(std::size_t index, std::uint64_t value) {
  if (levels_.empty() || index >= levels_.front().size()) grow(index + 1);
  levels_.front()[index] = value;
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    const Level& below = levels_[level - 1];
    const auto first = below.begin() + static_cast<std::ptrdiff_t>(index / kWay * kWay);
    const std::uint64_t maximum = *std::max_element(first, first + kWay);
    index /= kWay;
    if (levels_[level][index] == maximum) return;
    levels_[level][index] = maximum;
  }
}

std::size_t MaximumTree::index_of_maximum() const noexcept {
  if (levels_.empty()) return 0;
  std::size_t index = 0;
  for (std::size_t level = levels_.size(); level-- > 0;) {
    const auto first = levels_[level].begin() + static_cast<std::ptrdiff_t>(index * kWay);
    index = index * kWay + static_cast<std::size_t>(std::max_element(first, first + kWay) - first);
  }
  return index;
}

}  // namespace fairlead::broker
