// Payloads are bytes; these make texts of them.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::tools {

/// Well-formed UTF-8 (Unicode 15, table 3-7): no surrogates, nothing overlong.
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

/// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

/// One line for a terminal: UTF-8 as it is, but for control characters and everything else, which
/// become \n, \t, \xNN; backslashes are doubled.
[[nodiscard]] std::string printable_line(std::string_view bytes);

}  // namespace fairlead::tools
