// Texts and numbers for people. What comes out of a segment is a stranger's: it must not reach a
// terminal as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::tools {

/// Printable ASCII as it is, every other byte as \xNN, backslashes doubled.
[[nodiscard]] std::string printable(std::string_view text);

/// At most `columns` bytes of printable ASCII: the middle of a longer text becomes "..".
[[nodiscard]] std::string shortened(std::string text, std::size_t columns);

/// "0 B", "1023 B", "1.0 KiB", "23 MiB": three digits or so.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// "850 ns", "12 us", "1.5 s", "3 min", "2 h", "5 d".
[[nodiscard]] std::string duration_text(std::uint64_t nanoseconds);

/// "2026-11-23T15:04:05.123456Z", from nanoseconds since 1970.
[[nodiscard]] std::string utc_text(std::uint64_t realtime_ns);

}  // namespace fairlead::tools
