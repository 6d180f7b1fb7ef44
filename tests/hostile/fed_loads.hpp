// The deterministic attack as a whole: stages and single operations, seed after seed, until so many
// loads of guests' memory were fed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "stage.hpp"

namespace fairlead::hostile {

struct FedLoads {
  std::uint64_t loads = 0;
  std::uint64_t operations = 0;
  std::uint64_t next_seed = 0;
  WordCounts by_word{};
  Stage::Tally stages;         // of stages only
  std::uint64_t poisoned = 0;  // writers by themselves
  std::uint64_t violated = 0;  // outboxes by themselves
  std::string failure{};       // what broke, and the seed of it
  [[nodiscard]] std::string text() const;
};

/// One stage, 20 writers and 20 outboxes per seed; `go_on` is asked after each seed.
FedLoads feed_loads(std::uint64_t first_seed, const std::function<bool(const FedLoads&)>& go_on);

}  // namespace fairlead::hostile
