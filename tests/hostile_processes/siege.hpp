// fairlead-broker under attack by several processes, with honest guests beside them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace fairlead::hostile_processes {

struct SiegeOptions {
  std::uint64_t seed = 1;
  std::uint64_t seconds = 5;
  /// Called now and then with a line about how things stand; false ends the siege before its time.
  std::function<bool(const std::string&)> goes_on{};
};

struct SiegeResult {
  std::string failure{};  // empty: everything held
  std::string summary{};
  std::uint64_t delivered = 0;     // to honest subscribers
  std::uint64_t of_intruders = 0;  // of those that honest subscribers saw
  std::uint64_t lives = 0;
  std::uint64_t ejected = 0;
  std::uint64_t poisoned = 0;
  std::uint64_t forbidden = 0;
};

/// Forks: the caller has no other threads.
SiegeResult besiege(const SiegeOptions& options);

}  // namespace fairlead::hostile_processes
