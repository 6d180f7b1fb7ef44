// A capsule's identity: 16 bytes, RFC 4122 text form.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::shm {

struct Uuid {
  std::array<std::uint8_t, 16> bytes;
  friend bool operator==(const Uuid&, const Uuid&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees one in a defaulted comparison
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

// Version 4, from getrandom(2). Throws Error(system) when the kernel gives no randomness.
[[nodiscard]] Uuid make_random_uuid();
[[nodiscard]] std::string to_string(const Uuid& uuid);  // 8-4-4-4-12 lower-case hex
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text) noexcept;

}  // namespace fairlead::shm
