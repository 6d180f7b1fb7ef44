// The small figures run as tests; the large ones, for tests/soak, by
//   kill_test --figure kills|prefixes [--seed N] [--seconds S] [--count N]
// --count is scenarios.
#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <string_view>

#include "every_point.hpp"
#include "prefix_checks.hpp"
#include "scenarios.hpp"
#include "support/soak_program.hpp"

namespace fairlead::killing {
namespace {

constexpr std::uint32_t kSoakStride = 16;

struct Sum {
  std::uint64_t scenarios = 0;
  std::uint64_t points = 0;
  std::string complaints{};
};

void add_kills(const Scenario& scenario, Sum& sum) {
  for (const PointKind kind : {PointKind::stores, PointKind::calls}) {
    const EveryPoint result = kill_at_every_point(scenario, kind);
    sum.points += result.points;
    sum.complaints += result.complaints;
  }
}

void add_prefixes(const Scenario& scenario, Sum& sum) {
  const EveryPrefix result = check_every_prefix(scenario, kSoakStride);
  sum.points += result.prefixes;
  sum.complaints += result.complaints;
}

int run(const std::string& figure, int count, char** values) {
  const test::SoakOptions options = test::soak_options(count, values, {});
  test::SoakClock clock(figure, options);
  Sum sum;
  const auto figures = [&sum] {
    return std::to_string(sum.scenarios) + " scenarios, " + std::to_string(sum.points) + " points";
  };
  while (sum.complaints.empty() && clock.goes_on(sum.scenarios)) {
    const Scenario scenario = random_scenario(options.seed + sum.scenarios);
    figure == "kills" ? add_kills(scenario, sum) : add_prefixes(scenario, sum);
    if (sum.complaints.empty()) ++sum.scenarios;
    if (clock.due()) clock.show(figures());
  }
  return clock.finish(figures(), sum.complaints);
}

}  // namespace
}  // namespace fairlead::killing

int main(int count, char** values) {
  if (count < 2 || std::string_view(values[1]) != "--figure") {
    testing::InitGoogleTest(&count, values);
    return RUN_ALL_TESTS();
  }
  const std::string figure = count > 2 ? values[2] : "";
  if (figure != "kills" && figure != "prefixes") {
    std::cerr << "--figure is kills or prefixes\n";
    return 2;
  }
  return fairlead::killing::run(figure, count - 2, values + 2);
}
