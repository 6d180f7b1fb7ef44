// Whether the process that wrote a segment still runs.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::tools::dump {

enum class ProcessState : std::uint8_t { runs, gone, unknown };

/// By pid and start time (against reused pids), from `proc`. `unknown` without /proc, or when
/// nothing was noted of the process. One in another PID namespace looks `gone` from here: of a
/// broker its table's lock knows better.
[[nodiscard]] ProcessState process_state(std::uint32_t process, std::uint64_t start_clock_ticks,
                                         std::string_view proc = "/proc");

}  // namespace fairlead::tools::dump
