// A bounded text inside a mapped struct or a control message: length and bytes, no pointer.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fairlead::shm {

// Trivially copyable. `view()` clamps the stored length, so a text written by someone else can
// never be read beyond its array. Assigning a longer text than fits keeps nothing and returns
// false.
template <std::size_t Capacity>
struct FixedText {
  static_assert(Capacity <= 65'535);
  std::uint16_t length;
  std::array<char, Capacity> bytes;

  [[nodiscard]] std::string_view view() const noexcept {
    return {bytes.data(), std::min<std::size_t>(length, Capacity)};
  }

  bool assign(std::string_view text) noexcept {
    bytes.fill(0);
    length = 0;
    if (text.size() > Capacity) return false;
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    length = static_cast<std::uint16_t>(text.size());
    return true;
  }
};

}  // namespace fairlead::shm
