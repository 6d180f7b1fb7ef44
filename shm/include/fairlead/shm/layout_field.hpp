// Where a field of a mapped structure lies, and a hash of many of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fairlead::shm {

// A field, or with an empty name the structure as a whole: its alignment and its size.
struct LayoutField {
  std::string_view structure;
  std::string_view name;
  std::uint64_t offset;  // of the whole: its alignment
  std::uint64_t bytes;
};

// A number that the geometry of the segments is made of.
struct LayoutNumber {
  std::string_view name;
  std::uint64_t value;
};

// FNV-1a (Fowler, Noll, Vo).
class LayoutHasher {
 public:
  constexpr void add(std::uint64_t number) noexcept {
    for (int byte = 0; byte < 8; ++byte) add_byte((number >> (8 * byte)) & 0xff);
  }
  constexpr void add(std::string_view text) noexcept {
    add(text.size());
    for (const char each : text) add_byte(static_cast<unsigned char>(each));
  }
  constexpr void add(std::span<const LayoutField> fields) noexcept {
    for (const LayoutField& field : fields) {
      add(field.structure);
      add(field.name);  // so that two fields of one size cannot change places unseen
      add(field.offset);
      add(field.bytes);
    }
  }
  constexpr void add(std::span<const LayoutNumber> numbers) noexcept {
    for (const LayoutNumber& number : numbers) {
      add(number.name);
      add(number.value);
    }
  }
  [[nodiscard]] constexpr std::uint64_t hash() const noexcept { return hash_; }

 private:
  constexpr void add_byte(std::uint64_t byte) noexcept {
    hash_ ^= byte;
    hash_ *= 0x0000'0100'0000'01b3;
  }
  std::uint64_t hash_ = 0xcbf2'9ce4'8422'2325;
};

}  // namespace fairlead::shm
