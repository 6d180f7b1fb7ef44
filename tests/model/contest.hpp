// Runs a sequence on the real delivery core and on the reference model and compares all they say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "operation.hpp"
#include "support/route_driver.hpp"

namespace fairlead::test {

/// A deliberate mistake in the model: proves that the comparison would notice one in the code.
enum class Mistake : std::uint8_t {
  none,
  budget_one_byte_larger,
  one_lane_more,
  admits_everybody,
};

struct ContestOptions {
  std::uint64_t cap_bytes = 256 * 1024 * 1024;  // of each route's segment: never reached here (R15)
  Mistake mistake = Mistake::none;
};

struct ContestResult {
  std::string difference;  // empty: none
  std::size_t at = 0;      // the operation that showed it; the sequence's size: at the end
  std::uint64_t publishes = 0;
  std::uint64_t delivered = 0;
  std::uint64_t evicted = 0;
  [[nodiscard]] bool same() const noexcept { return difference.empty(); }
};

[[nodiscard]] ContestResult run_contest(RouteDriver& driver, const Sequence& sequence,
                                        const ContestOptions& options);

}  // namespace fairlead::test
