// Numbers that people write on command lines.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::tools {

/// All throw UsageError with a sentence that names `option` and what it takes.

/// 1 or more.
[[nodiscard]] std::uint64_t parse_count(const std::string& option, std::string_view text);
/// "65536", "64K", "1M", "2G": powers of 1024, 1 or more.
[[nodiscard]] std::uint64_t parse_bytes(const std::string& option, std::string_view text);
/// "2", "0.25": zero or more, a year at most.
[[nodiscard]] std::chrono::nanoseconds parse_seconds(const std::string& option,
                                                     std::string_view text);
/// "10", "0.5": per second, one in a million seconds at least.
[[nodiscard]] double parse_rate(const std::string& option, std::string_view text);

}  // namespace fairlead::tools
