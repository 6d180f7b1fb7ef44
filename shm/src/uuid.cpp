#include <fairlead/shm/uuid.hpp>

#include <sys/random.h>

#include <cerrno>

#include <fairlead/shm/error.hpp>

namespace fairlead::shm {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

Uuid make_random_uuid() {
  Uuid uuid{};
  while (::getrandom(uuid.bytes.data(), uuid.bytes.size(), 0) !=
         static_cast<ssize_t>(uuid.bytes.size())) {
    if (errno != EINTR) throw_system("getrandom for a capsule's UUID");
  }
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0fU) | 0x40U);  // version 4
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3fU) | 0x80U);  // RFC 4122 variant
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  std::string text;
  text.reserve(36);
  for (std::size_t byte = 0; byte < uuid.bytes.size(); ++byte) {
    if (dash_before(byte)) text += '-';
    text += kHexDigits[uuid.bytes[byte] >> 4U];
    text += kHexDigits[uuid.bytes[byte] & 0x0fU];
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid{};
  std::size_t at = 0;
  for (std::size_t byte = 0; byte < uuid.bytes.size(); ++byte) {
    if (dash_before(byte) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at++]);
    const int low = hex_value(text[at++]);
    if (high < 0 || low < 0) return std::nullopt;
    uuid.bytes[byte] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return uuid;
}

}  // namespace fairlead::shm
