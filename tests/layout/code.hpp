// What the compiler says of the mapped structures: sizes, offsets and types, to be compared with
// docs/shm_layout.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fairlead::test {

struct Field {
  std::string name;
  std::uint64_t offset;
  std::uint64_t bytes;
  std::string type;  // u32, atomic<u64>[2], text<128>, Uuid, RouteState
};

struct Structure {
  std::string name;
  std::uint64_t bytes;
  std::uint64_t alignment;
  std::vector<Field> fields;  // in the order of their offsets
};

/// All structures of shm/include/fairlead/shm/layout/, and the drain mutex.
[[nodiscard]] const std::vector<Structure>& structures_in_code();

struct Constant {
  std::string name;
  std::uint64_t value;
};

/// The numbers that the geometry of the segments is made of.
[[nodiscard]] const std::vector<Constant>& constants_in_code();

// A part of a packed word, lowest bit first.
struct Bits {
  std::uint64_t first;
  std::uint64_t last;
  std::string name;
};

struct PackedWord {
  std::string name;
  std::uint64_t bits;
  std::vector<Bits> parts;
};

/// Words that hold more than one number, as their pack() makes them.
[[nodiscard]] const std::vector<PackedWord>& packed_words_in_code();

}  // namespace fairlead::test
