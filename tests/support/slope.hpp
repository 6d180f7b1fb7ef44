// Whether something grows, from noisy samples.
#pragma once

#include <span>

namespace fairlead::test {

/// The median of the slopes of all pairs (Theil 1950, Sen 1968): up to 29 % of the samples may lie
/// anywhere without moving it. Pairs of equal x do not count; 0 for fewer than two samples. Takes
/// n^2 / 2 words.
[[nodiscard]] double theil_sen_slope(std::span<const double> x, std::span<const double> y);

}  // namespace fairlead::test
