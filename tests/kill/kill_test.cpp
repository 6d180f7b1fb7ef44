#include <gtest/gtest.h>

#include <iostream>

#include "call_tracer.hpp"
#include "every_point.hpp"
#include "scenarios.hpp"
#include "store_tracer.hpp"

namespace fairlead::killing {
namespace {

struct Figure {
  const Scenario* scenario;
  PointKind kind;
};

std::vector<Figure> figures() {
  std::vector<Figure> all;
  for (const Scenario& scenario : named_scenarios()) {
    for (const PointKind kind : {PointKind::stores, PointKind::calls})
      all.push_back({&scenario, kind});
  }
  return all;
}

class KillEverywhere : public testing::TestWithParam<Figure> {};

TEST_P(KillEverywhere, survivors_go_on_and_nothing_is_lost_or_left) {
  const auto [scenario, kind] = GetParam();
  if (!store_tracer::kSupported) GTEST_SKIP() << "needs x86-64 and no sanitizer";
  if (*call_tracer::why_not() != '\0') GTEST_SKIP() << call_tracer::why_not();
  const EveryPoint result = kill_at_every_point(*scenario, kind);
  EXPECT_EQ(result.complaints, "");
  EXPECT_EQ(result.points > 0, kind == PointKind::calls || scenario->stores_something);
  RecordProperty("points", static_cast<int>(result.points));
  std::cout << scenario->name << ": " << result.points << " points\n";
}

INSTANTIATE_TEST_SUITE_P(, KillEverywhere, testing::ValuesIn(figures()), [](const auto& each) {
  return each.param.scenario->name + "_" + to_string(each.param.kind);
});

}  // namespace
}  // namespace fairlead::killing
