// docs/shm_layout.md against the code: constants, enumerations, packed words.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "differences.hpp"

namespace fairlead {
namespace {

using test::Sentences;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

Sentences texts_of(const std::vector<test::Constant>& constants) {
  Sentences texts;
  for (const auto& each : constants)
    texts.push_back(each.name + " = " + std::to_string(each.value));
  return texts;
}

Sentences texts_of(const std::vector<test::Enumeration>& enumerations) {
  Sentences texts;
  for (const test::Enumeration& each : enumerations) {
    for (const auto& [value, name] : each.values)
      texts.push_back(each.name + " (" + each.type + "): " + std::to_string(value) + " " + name);
  }
  return texts;
}

Sentences texts_of(const std::vector<test::PackedWord>& words) {
  Sentences texts;
  for (const test::PackedWord& each : words) {
    for (const test::Bits& part : each.parts)
      texts.push_back(each.name + " of " + std::to_string(each.bits) + " bits: " + part.name + " " +
                      std::to_string(part.first) + ".." + std::to_string(part.last));
  }
  return texts;
}

TEST(LayoutNumbers, constants_have_the_values_of_the_code) {
  EXPECT_THAT(test::compare_texts(texts_of(test::the_page().constants),
                                  texts_of(test::constants_in_code())),
              IsEmpty());
}

TEST(LayoutNumbers, every_constant_that_the_page_names_stands_in_its_table) {
  std::set<std::string> known = {"kLayoutHash"};
  for (const test::Constant& each : test::constants_in_code()) known.insert(each.name);
  for (const std::string& each : test::the_page().constants_named)
    EXPECT_TRUE(known.contains(each)) << each;
}

TEST(LayoutNumbers, pictures_show_sizes_and_constants_of_the_code) {
  std::set<std::uint64_t> known;
  for (const test::Constant& each : test::constants_in_code()) known.insert(each.value);
  for (const test::Structure& each : test::structures_in_code()) known.insert(each.bytes);
  EXPECT_THAT(test::the_page().numbers_in_pictures, Not(IsEmpty()));
  for (const std::uint64_t each : test::the_page().numbers_in_pictures)
    EXPECT_TRUE(known.contains(each)) << each;
}

TEST(LayoutNumbers, enumerators_have_the_values_of_the_code) {
  ASSERT_THAT(test::enumerations_declared(), Not(IsEmpty()));
  EXPECT_THAT(test::compare_texts(texts_of(test::the_page().enumerations),
                                  texts_of(test::enumerations_declared())),
              IsEmpty());
}

TEST(LayoutNumbers, packed_words_have_the_bits_that_the_code_gives_them) {
  EXPECT_THAT(test::compare_texts(texts_of(test::the_page().packed_words),
                                  texts_of(test::packed_words_in_code())),
              IsEmpty());
}

// ---- that it notices
// -----------------------------------------------------------------------------

TEST(LayoutNumbers, enumerations_are_read_with_values_that_count_on) {
  const auto read = test::enumerations_declared_in(
      "enum class A : std::uint8_t { none = 0, one, five = 5,  // five\n  six };");
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read.front().type, "u8");
  EXPECT_THAT(read.front().values,
              ElementsAre(Pair(0, "none"), Pair(1, "one"), Pair(5, "five"), Pair(6, "six")));
}

TEST(LayoutNumbers, tables_are_read_without_quotes_and_commas) {
  const test::Page page = test::parse_page(
      "### `W` (64 bits)\n\n| Bits | Name | Meaning |\n|---|---|---|\n| 0..31 | `low` | x |\n\n"
      "| Constant | Value | Fixes |\n|---|---|---|\n| `kOne` | 1 | x |\n\n"
      "| Enumeration | Type | Values |\n|---|---|---|\n| `E` | u8 | 0 `none`, 2 `two` |\n\n"
      "```text\n16,384 and "
      "12\n```\n1,000\n");
  EXPECT_THAT(texts_of(page.packed_words), ElementsAre("W of 64 bits: low 0..31"));
  EXPECT_THAT(texts_of(page.constants), ElementsAre("kOne = 1"));
  EXPECT_THAT(texts_of(page.enumerations), ElementsAre("E (u8): 0 none", "E (u8): 2 two"));
  EXPECT_THAT(page.constants_named, ElementsAre("kOne"));
  EXPECT_THAT(page.numbers_in_pictures, ElementsAre(16'384));
}

}  // namespace
}  // namespace fairlead
