#include "support/slope.hpp"

#include <algorithm>
#include <vector>

namespace fairlead::test {

double theil_sen_slope(std::span<const double> x, std::span<const double> y) {
  std::vector<double> slopes;
  for (std::size_t first = 0; first < x.size(); ++first) {
    for (std::size_t second = first + 1; second < x.size(); ++second) {
      if (x[first] == x[second]) continue;
      slopes.push_back((y[second] - y[first]) / (x[second] - x[first]));
    }
  }
  if (slopes.empty()) return 0;
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::ranges::nth_element(slopes, middle);
  if (slopes.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(slopes.begin(), middle)) / 2;
}

}  // namespace fairlead::test
