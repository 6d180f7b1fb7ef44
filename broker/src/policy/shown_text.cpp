#include "policy/shown_text.hpp"

namespace fairlead::broker {

std::string shown(std::string_view text, std::size_t longest) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string safe = "'";
  for (const char byte : text) {
    const bool plain = byte >= ' ' && byte <= '~' && byte != '\'' && byte != '\\';
    if (safe.size() + (plain ? 1 : 4) > longest + 1) return safe + "...'";
    if (plain) {
      safe += byte;
    } else {
      const auto value = static_cast<unsigned char>(byte);
      safe += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
    }
  }
  return safe + "'";
}

}  // namespace fairlead::broker
