// The tables of docs/shm_layout.md. Their form is fixed: a structure is a heading
//
//   ### `LaneHead` (64 bytes, alignment 64)
//
// and the next table below it, with the columns Offset, Size, Name, Type, Writer, Sync, Meaning.
// Rows named `padding` stand for bytes of no field. Other tables are known by their first column.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "code.hpp"
#include "headers.hpp"

namespace fairlead::test {

struct PageRow {
  Field field;  // `padding` has no type
  std::string writer;
  std::string label;  // empty: none
};

struct PageStructure {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 0;
  std::vector<PageRow> rows;
};

struct PageLabel {
  std::string name;
  std::vector<std::string> words;  // LaneHead::tail
  std::vector<std::string> release_files;
  std::vector<std::string> acquire_files;
};

struct Page {
  std::vector<PageStructure> structures;
  std::vector<PackedWord> packed_words;
  std::vector<Constant> constants;
  std::vector<Enumeration> enumerations;
  std::vector<PageLabel> labels;
  std::vector<std::string> constants_named;        // anywhere
  std::vector<std::uint64_t> numbers_in_pictures;  // of four digits or more, in fenced blocks
};

[[nodiscard]] Page parse_page(std::string_view text);
/// docs/shm_layout.md as it is.
[[nodiscard]] const Page& the_page();

}  // namespace fairlead::test
