// Whether the process that wrote a segment still runs.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::tools::dump {

enum class ProcessState : std::uint8_t { runs, gone, unknown };

/// By pid and start time (against reused pids), from `proc`. `unknown` without /proc, or when
/// nothing was noted of the process. A broker in another PID namespace looks `gone` from here.
[[nodiscard]] ProcessState process_state(std::uint32_t process, std::uint64_t start_clock_ticks,
                                         std::string_view proc = "/proc");

}  // namespace fairlead::tools::dump
