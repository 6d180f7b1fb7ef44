#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "prefix_checks.hpp"
#include "scenarios.hpp"
#include "store_tracer.hpp"

namespace fairlead::killing {
namespace {

constexpr std::uint32_t kStride = 64;

// One broker alone.
bool rehearsable(const Scenario& scenario) {
  return !scenario.predecessor &&
         std::none_of(scenario.before.begin(), scenario.before.end(),
                      [](const Step& step) { return step.verb == Verb::succeed; });
}

std::vector<Scenario> prefix_scenarios() {
  std::vector<Scenario> all;
  for (const Scenario& scenario : named_scenarios()) {
    if (rehearsable(scenario)) all.push_back(scenario);
  }
  for (std::uint64_t seed = 1; all.size() < 20; ++seed) all.push_back(random_scenario(seed));
  return all;
}

class StorePrefixes : public testing::TestWithParam<Scenario> {};

TEST_P(StorePrefixes, each_is_sound_to_guest_dump_and_the_next_broker) {
  if (!store_tracer::kSupported) GTEST_SKIP() << "needs x86-64 and no sanitizer";
  const EveryPrefix result = check_every_prefix(GetParam(), kStride);
  EXPECT_EQ(result.complaints, "");
  EXPECT_GT(result.prefixes, 0U);
  std::cout << GetParam().name << ": " << result.prefixes << " prefixes, " << result.next_brokers
            << " next brokers\n";
}

INSTANTIATE_TEST_SUITE_P(, StorePrefixes, testing::ValuesIn(prefix_scenarios()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace fairlead::killing
