// docs/shm_layout.md against the compiler and the headers: every byte of every mapped structure.
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fairlead/shm/fixed_text.hpp>
#include <fairlead/shm/uuid.hpp>

#include "differences.hpp"

namespace fairlead {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(LayoutPage, shows_every_byte_of_every_structure) {
  ASSERT_THAT(test::the_page().structures, Not(IsEmpty()));
  EXPECT_THAT(test::compare_structures(test::the_page().structures, test::structures_in_code()),
              IsEmpty());
}

TEST(LayoutPage, is_compared_with_all_that_the_headers_declare) {
  EXPECT_THAT(test::compare_members(test::structures_declared(), test::structures_in_code(),
                                    test::packed_words_in_code()),
              IsEmpty());
}

TEST(LayoutPage, names_one_writing_side_for_each_word_but_head) {
  const std::set<std::string> known = {"broker", "broker, once", "guest", "both", "nobody"};
  std::vector<std::string> with_two;
  std::vector<std::string> without;
  for (const test::PageStructure& each : test::the_page().structures) {
    for (const test::PageRow& row : each.rows) {
      const std::string name = each.name + "::" + row.field.name;
      if (!known.contains(row.writer)) without.push_back(name);
      if (row.writer == "both") with_two.push_back(name);
      const bool unused = row.field.name == "padding" || row.field.name == "reserved";
      EXPECT_EQ(unused && row.writer != "nobody", false) << name;
    }
  }
  EXPECT_THAT(with_two, ElementsAre("LaneCursor::head"));
  EXPECT_THAT(without, IsEmpty());
}

TEST(LayoutPage, describes_texts_and_uuids_as_they_are) {
  using Text = shm::FixedText<8>;
  EXPECT_EQ(offsetof(Text, length), 0U);
  EXPECT_EQ(sizeof(Text::length), 2U);
  EXPECT_EQ(offsetof(Text, bytes), 2U);
  EXPECT_EQ(sizeof(Text), 10U);
  EXPECT_EQ(sizeof(shm::Uuid), 16U);
}

// ---- that it notices
// -----------------------------------------------------------------------------

const std::vector<test::Structure> kCode = {
    {"Pair", 16, 8, {{"first", 0, 4, "u32"}, {"second", 8, 8, "atomic<u64>"}}}};

std::vector<std::string> found_in(const std::string& heading, const std::string& rows) {
  const std::string table =
      "| Offset | Size | Name | Type | Writer | Sync | Meaning |\n"
      "|---:|---:|---|---|---|---|---|\n";
  return test::compare_structures(
      test::parse_page(heading + "\n\nFor tests.\n\n" + table + rows).structures, kCode);
}

constexpr const char* kHeading = "### `Pair` (16 bytes, alignment 8)";
constexpr const char* kFirst = "| 0 | 4 | `first` | `u32` | broker | - | one |\n";
constexpr const char* kPadding = "| 4 | 4 | padding | | nobody | | |\n";
constexpr const char* kSecond = "| 8 | 8 | `second` | `atomic<u64>` | guest | label | two |\n";

TEST(LayoutComparison, passes_what_is_right) {
  EXPECT_THAT(found_in(kHeading, std::string(kFirst) + kPadding + kSecond), IsEmpty());
}

TEST(LayoutComparison, finds_a_row_that_is_missing_or_wrong) {
  EXPECT_THAT(found_in(kHeading, std::string(kFirst) + kPadding),
              ElementsAre("Pair: missing on the page: 8 | 8 | second | atomic<u64>"));
  EXPECT_THAT(found_in(kHeading, std::string(kFirst) + kSecond),
              ElementsAre("Pair: missing on the page: 4 | 4 | padding | "));
  EXPECT_THAT(
      found_in(kHeading, std::string(kFirst) + kPadding + "| 8 | 8 | `second` | `u64` | | | |\n"),
      Contains("Pair: only on the page: 8 | 8 | second | u64"));
  EXPECT_THAT(found_in(kHeading, std::string(kFirst) + kSecond + kPadding),
              ElementsAre("Pair: the rows are not in order"));
}

TEST(LayoutComparison, finds_a_table_that_is_missing_or_has_another_size) {
  const std::string rows = std::string(kFirst) + kPadding + kSecond;
  EXPECT_THAT(found_in("Pair", rows), ElementsAre("missing on the page: Pair"));
  EXPECT_THAT(test::compare_structures(test::parse_page(kHeading).structures, kCode),
              Not(IsEmpty()));
  EXPECT_THAT(found_in("### `Pair` (16 bytes, alignment 4)", rows),
              ElementsAre("Pair: the page says 16 bytes, alignment 4, the code 16 bytes, "
                          "alignment 8"));
  EXPECT_THAT(
      test::compare_structures(test::parse_page("").structures, test::structures_in_code()).size(),
      test::structures_in_code().size());
}

TEST(LayoutComparison, finds_members_of_the_headers_that_nobody_compares) {
  const char* const source =
      "\nstruct alignas(8) Pair {\n  std::uint32_t first;  // one; two\n"
      "  alignas(\n      8) std::atomic<std::uint64_t> second[2];  // sync: a-b\n"
      "  std::uint32_t third = 0;\n  Pair& operator=(const Pair&) = delete;\n  void function() "
      "const noexcept { second; }\n};\n";
  const std::vector<test::Declared> declared = test::structures_declared_in(source);
  ASSERT_EQ(declared.size(), 1U);
  EXPECT_THAT(declared.front().members, ElementsAre("first", "second", "third"));
  EXPECT_THAT(declared.front().labels, ElementsAre("a-b"));
  EXPECT_THAT(test::compare_members(declared, kCode, {}), Not(IsEmpty()));
}

}  // namespace
}  // namespace fairlead
