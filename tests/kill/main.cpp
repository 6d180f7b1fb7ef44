// The small figures run as tests; the large ones by
//   kill_test --figure kills|prefixes [--seed N] [--count N] [--seconds S]
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string>

#include "every_point.hpp"
#include "prefix_checks.hpp"
#include "scenarios.hpp"

namespace fairlead::killing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kSoakStride = 16;

struct Arguments {
  std::string figure;
  std::uint64_t seed = 1;
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  std::chrono::seconds time = std::chrono::hours(1'000);
};

struct Sum {
  std::uint64_t scenarios = 0;
  std::uint64_t points = 0;
  std::string complaints;
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

int run(const Arguments& arguments) {
  Sum sum;
  const auto begin = Clock::now();
  auto shown = begin;
  const auto say = [&](std::ostream& out, const char* end) {
    out << arguments.figure << ": " << sum.scenarios << " scenarios, " << sum.points
        << " points, seed " << arguments.seed << end << std::endl;
  };
  while (sum.scenarios < arguments.count && Clock::now() - begin < arguments.time) {
    const Scenario scenario = random_scenario(arguments.seed + sum.scenarios);
    arguments.figure == "kills" ? add_kills(scenario, sum) : add_prefixes(scenario, sum);
    if (!sum.complaints.empty()) {
      std::cerr << sum.complaints << '\n';
      say(std::cout, ": FAILED");
      return 1;
    }
    ++sum.scenarios;
    if (Clock::now() - shown < std::chrono::seconds(10)) continue;
    shown = Clock::now();
    say(std::cerr, "");
  }
  say(std::cout, ": ok");
  return 0;
}

}  // namespace
}  // namespace fairlead::killing

int main(int count, char** values) {
  fairlead::killing::Arguments arguments;
  for (int each = 1; each + 1 < count; ++each) {
    const std::string name = values[each];
    const char* value = values[each + 1];
    if (name == "--figure") arguments.figure = value;
    if (name == "--seed") arguments.seed = std::strtoull(value, nullptr, 10);
    if (name == "--count") arguments.count = std::strtoull(value, nullptr, 10);
    if (name == "--seconds") arguments.time = std::chrono::seconds(std::atoll(value));
  }
  if (!arguments.figure.empty()) return fairlead::killing::run(arguments);
  testing::InitGoogleTest(&count, values);
  return RUN_ALL_TESTS();
}
