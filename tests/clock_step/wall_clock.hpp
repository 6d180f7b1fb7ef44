// The wall clock as everything in this program sees it, the libraries included.
#pragma once

#include <chrono>
#include <cstdint>

namespace fairlead::test {

/// Every reading from now on is that much later (or earlier) than the kernel's.
void set_wall_clock(std::chrono::seconds offset) noexcept;
/// How often it was read, by whichever call.
[[nodiscard]] std::uint64_t wall_clock_readings() noexcept;

inline constexpr std::chrono::seconds kYear = std::chrono::hours(24 * 365);

}  // namespace fairlead::test
