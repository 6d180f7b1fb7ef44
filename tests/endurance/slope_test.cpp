#include "support/slope.hpp"

#include <cstddef>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace fairlead::test {
namespace {

struct Samples {
  std::vector<double> x;
  std::vector<double> y;
  [[nodiscard]] double slope() const { return theil_sen_slope(x, y); }
};

// A line with noise of plus or minus one.
Samples noisy_line(double slope) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> noise(-1, 1);
  Samples samples;
  for (int index = 0; index < 101; ++index) {
    samples.x.push_back(index);
    samples.y.push_back(20 + slope * index + noise(random));
  }
  return samples;
}

TEST(Slope, of_a_line_is_exact) {
  EXPECT_DOUBLE_EQ(theil_sen_slope(std::vector{1.0, 2.0, 4.0}, std::vector{3.0, 5.0, 9.0}), 2);
  EXPECT_DOUBLE_EQ(theil_sen_slope(std::vector{1.0, 2.0}, std::vector{3.0, 1.0}), -2);
}

TEST(Slope, of_what_stays_the_same_is_zero) {
  EXPECT_EQ(theil_sen_slope(std::vector{1.0, 2.0, 3.0}, std::vector{7.0, 7.0, 7.0}), 0);
}

TEST(Slope, is_found_in_noise) {
  EXPECT_NEAR(noisy_line(0.1).slope(), 0.1, 0.01);
  EXPECT_NEAR(noisy_line(0).slope(), 0, 0.01);
}

TEST(Slope, a_quarter_of_wild_samples_does_not_move_it) {
  Samples samples = noisy_line(0.1);
  for (std::size_t index = 51; index < samples.y.size(); index += 2) samples.y[index] = 1e6;
  EXPECT_NEAR(samples.slope(), 0.1, 0.05);
}

TEST(Slope, of_too_few_samples_is_zero) {
  EXPECT_EQ(theil_sen_slope({}, {}), 0);
  EXPECT_EQ(theil_sen_slope(std::vector{1.0}, std::vector{5.0}), 0);
  EXPECT_EQ(theil_sen_slope(std::vector{1.0, 1.0}, std::vector{5.0, 6.0}), 0);
}

}  // namespace
}  // namespace fairlead::test
