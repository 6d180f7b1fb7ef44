// Text that somebody else chose, made fit for a log line or a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fairlead::broker {

/// In single quotes; other than printable ASCII, and the quote and backslash themselves, as \xNN;
/// cut with "..." where it would come to more than `longest` bytes between the quotes.
[[nodiscard]] std::string shown(std::string_view text, std::size_t longest = 64);

/// The same without the quotes, for a sentence that has its own.
[[nodiscard]] std::string plain_text(std::string_view text, std::size_t longest);

}  // namespace fairlead::broker
