// Who does what, in which order, and who is killed at every point of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "step.hpp"

namespace fairlead::killing {

struct Scenario {
  std::string name;
  Actor victim = Actor::broker;
  std::vector<Step> before;  // nobody is killed yet
  std::vector<Step> traced;
  bool stores_something = true;  // in shared memory
  /// A broker ran under the same name before, and was killed with routes and messages in them.
  bool predecessor = false;
};

/// Those that continuous integration runs.
[[nodiscard]] const std::vector<Scenario>& named_scenarios();
/// The same for the same seed.
[[nodiscard]] Scenario random_scenario(std::uint64_t seed);

}  // namespace fairlead::killing
