#include "every_point.hpp"

#include "stage.hpp"
#include "support/child_process.hpp"
#include "survivors.hpp"

namespace fairlead::killing {
namespace {

constexpr std::uint64_t kMostPoints = 20'000;  // a scenario that never ends
const std::string kLived = "lived";

// Empty, what was wrong, or kLived when there is no such point.
std::string kill_at_point(const Scenario& scenario, PointKind kind, std::uint64_t point) {
  test::ChildProcess performance([&]() -> std::string {
    Stage stage(scenario, kind, point);
    const bool killed = stage.play();
    check_survivors(stage);
    if (!stage.complaints().empty()) return stage.complaints();
    return killed ? "" : kLived;
  });
  return performance.result();
}

}  // namespace

EveryPoint kill_at_every_point(const Scenario& scenario, PointKind kind) {
  EveryPoint result;
  for (std::uint64_t point = 1; point < kMostPoints; ++point) {
    const std::string answer = kill_at_point(scenario, kind, point);
    if (answer == kLived) return result;
    ++result.points;
    if (answer.empty()) continue;
    result.complaints = scenario.name + ", " + to_string(scenario.victim) + " killed at point " +
                        std::to_string(point) + " of its " + to_string(kind) + ": " + answer;
    return result;
  }
  result.complaints = scenario.name + " does not end";
  return result;
}

}  // namespace fairlead::killing
