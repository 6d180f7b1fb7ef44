// Every system call of a scene made to fail, one run for each.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outcome.hpp"

namespace fairlead::test {

/// Something runs out: from one call on, all that need it fail.
struct Shortage {
  std::string of;
  int error = 0;
  std::vector<long> calls;
};
[[nodiscard]] Shortage shortage_of_memory();
[[nodiscard]] Shortage shortage_of_descriptors();
[[nodiscard]] Shortage shortage_of_space();

struct SweepOptions {
  /// How many occurrences of each place fail, one after the other; 0: all that there were.
  int most_occurrences = 1;
  /// Instead of one failure each: everything of that fails from then on.
  std::optional<Shortage> shortage{};
  std::uint64_t seed = 0;   // of the order
  double seconds = 0;       // ends then; 0: never
  std::uint64_t count = 0;  // runs at most; 0: all
  bool shuffled = false;
  int threads = 1;  // more only for a scene whose runs have nothing in common
  std::function<void(const std::string&)> progress{};
};

struct SweepSummary {
  int places = 0;  // system calls told apart by where they are made
  int runs = 0;
  int struck = 0;  // runs in which the fault came about
  int unnoticed = 0;
  int suffered = 0;
  int refused = 0;  // the program ended with an error
  double seconds = 0;
  double slowest_seconds = 0;
  std::string slowest;
  std::vector<std::string> failures;
  std::vector<std::string> unknown_calls;  // without errnos

  [[nodiscard]] std::string text() const;
};

[[nodiscard]] SweepSummary sweep(Scene& scene, const SweepOptions& options);

}  // namespace fairlead::test
