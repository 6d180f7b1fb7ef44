#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

// Bytes that are not printable ASCII, and those among `others`, as \xNN.
std::string escaped(std::string_view text, std::size_t longest, std::string_view others) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string safe;
  for (const char byte : text) {
    const bool plain = byte >= ' ' && byte <= '~' && others.find(byte) == others.npos;
    if (safe.size() + (plain ? 1 : 4) > longest) return safe + "...";
    if (plain) {
      safe += byte;
    } else {
      const auto value = static_cast<unsigned char>(byte);
      safe += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
    }
  }
  return safe;
}

}  // namespace

std::string shown(std::string_view text, std::size_t longest) {
  return '\'' + escaped(text, longest, "'\\") + '\'';
}

std::string plain_text(std::string_view text, std::size_t longest) {
  return escaped(text, longest, "");
}

}  // namespace fairlead::broker
