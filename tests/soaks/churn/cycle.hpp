// One time through all of it: attach, subscribe, publish, drain, leave.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "state.hpp"

namespace fairlead::test::churn {

struct CyclePlace {
  const std::string& socket;
  /// New in each cycle.
  std::uint64_t name = 0;
  /// Of this process alone: a sealed segment stays charged to its user until the process is dead.
  bool process_of_its_own = false;
};

/// With random options; checks that what it published comes back. Throws when something is not as
/// it should be.
void run_cycle(State& state, const CyclePlace& place, std::mt19937_64& random);

}  // namespace fairlead::test::churn
