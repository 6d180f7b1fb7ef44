// A scenario without a victim, in one process, with every store to its shared memory logged.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "actors.hpp"
#include "scenarios.hpp"
#include "store_log.hpp"

namespace fairlead::killing {

struct Act {
  Step step;
  Reply reply;
  std::size_t begin = 0;  // events that were logged before it, and when it was done
  std::size_t end = 0;
};

struct Rehearsal {
  StoreLog* log = nullptr;
  std::vector<Act> acts;
  std::string complaints;  // acts that failed
};

/// Steps of broker and guest only. The broker is killed in the end, its files are removed.
[[nodiscard]] Rehearsal rehearse(const Scenario& scenario, const Place& place);

}  // namespace fairlead::killing
