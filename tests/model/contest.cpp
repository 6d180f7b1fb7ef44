#include "contest.hpp"

#include <algorithm>

#include "contest_state.hpp"

namespace fairlead::test {

ContestResult run_contest(RouteDriver& driver, const Sequence& sequence,
                          const ContestOptions& options) {
  ContestResult result;
  ContestState state(driver, options);
  try {
    for (; result.at < sequence.size(); ++result.at) {
      state.run(sequence[result.at]);
      state.check_counters();
    }
    state.finish();
  } catch (const Difference& difference) {
    result.difference = difference.what();
  }
  result.publishes = state.publishes();
  result.delivered = state.delivered();
  result.evicted = state.evicted();
  return result;
}

}  // namespace fairlead::test
