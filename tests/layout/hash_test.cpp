// The layout hash: made of every field and every number that the compiler is asked for.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fairlead/shm/layout/layout_hash.hpp>

#include "differences.hpp"

namespace fairlead {
namespace {

using shm::LayoutField;
using test::Sentences;
using ::testing::IsEmpty;

std::string hashed_text(const std::string& name, std::uint64_t one, std::uint64_t other) {
  return name + ": " + std::to_string(one) + ", " + std::to_string(other);
}

std::vector<LayoutField> hashed_fields() {
  std::vector<LayoutField> all(std::begin(shm::kLayoutFields), std::end(shm::kLayoutFields));
  for (const LayoutField& field : shm::DrainMutex::layout_fields()) all.push_back(field);
  return all;
}

TEST(LayoutHash, covers_every_field_of_every_structure) {
  const std::set<std::string_view> described_in_words = {"AnyText", "Uuid"};
  Sentences hashed;
  for (const LayoutField& field : hashed_fields()) {
    if (!described_in_words.contains(field.structure))
      hashed.push_back(hashed_text(std::string(field.structure) + "::" + std::string(field.name),
                                   field.offset, field.bytes));
  }
  Sentences in_code;
  for (const test::Structure& each : test::structures_in_code()) {
    in_code.push_back(hashed_text(each.name + "::", each.alignment, each.bytes));
    for (const test::Field& field : each.fields)
      in_code.push_back(hashed_text(each.name + "::" + field.name, field.offset, field.bytes));
  }
  EXPECT_THAT(test::compare_texts(hashed, in_code), IsEmpty());
}

TEST(LayoutHash, covers_every_constant_and_packed_word_of_the_page) {
  std::set<std::string> packed;
  for (const test::PackedWord& each : test::packed_words_in_code()) packed.insert(each.name);
  Sentences hashed;
  std::set<std::string> words;
  for (const shm::LayoutNumber& number : shm::kLayoutNumbers) {
    const std::string name(number.name);
    if (packed.contains(name)) {
      words.insert(name);
    } else {
      hashed.push_back(name + " = " + std::to_string(number.value));
    }
  }
  Sentences on_page;
  for (const test::Constant& each : test::the_page().constants)
    on_page.push_back(each.name + " = " + std::to_string(each.value));
  EXPECT_THAT(test::compare_texts(on_page, hashed), IsEmpty());
  EXPECT_EQ(words, packed);
}

TEST(LayoutHash, differs_when_two_fields_of_one_size_change_places) {
  const std::vector<LayoutField> fields = hashed_fields();
  const std::uint64_t as_it_is = shm::hash_layout(fields, {}, shm::kLayoutNumbers);
  std::size_t swapped = 0;
  for (std::size_t one = 0; one + 1 < fields.size(); ++one) {
    const std::size_t next = one + 1;
    if (fields[one].structure != fields[next].structure || fields[one].name.empty()) continue;
    if (fields[one].bytes != fields[next].bytes) continue;
    ++swapped;
    std::vector<LayoutField> other = fields;
    std::swap(other[one].offset, other[next].offset);
    EXPECT_NE(shm::hash_layout(other, {}, shm::kLayoutNumbers), as_it_is) << fields[one].name;
    // Also when the list is put in the new order.
    std::swap(other[one], other[next]);
    EXPECT_NE(shm::hash_layout(other, {}, shm::kLayoutNumbers), as_it_is) << fields[one].name;
  }
  EXPECT_GT(swapped, 50U);
}

TEST(LayoutHash, differs_by_any_number) {
  for (std::size_t which = 0; which < std::size(shm::kLayoutNumbers); ++which) {
    std::vector<shm::LayoutNumber> numbers(std::begin(shm::kLayoutNumbers),
                                           std::end(shm::kLayoutNumbers));
    ++numbers[which].value;
    EXPECT_NE(shm::hash_layout(shm::kLayoutFields, shm::DrainMutex::layout_fields(), numbers),
              shm::kLayoutHash);
  }
}

}  // namespace
}  // namespace fairlead
