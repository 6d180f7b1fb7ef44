// Holds docs/semantics.md against the tests: 34 rules, and a test named after each of them.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contents_of.hpp"

namespace fairlead {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

using test::contents_of;

std::vector<std::string> all_rules() {
  std::vector<std::string> rules;
  for (int number = 1; number <= 34; ++number)
    rules.push_back((number < 10 ? "R0" : "R") + std::to_string(number));
  return rules;
}

// Rule numbers in the names of tests, however the test is made: TEST(Suite, R01_R02_names).
std::set<std::string> rules_named_in(const std::string& source) {
  static const std::regex test("\\b(?:TYPED_)?TEST(?:_F|_P)?\\s*\\(\\s*\\w+\\s*,\\s*(\\w+)");
  static const std::regex rule("(?:^|_)(R[0-9]{2})(?=_)");
  std::set<std::string> found;
  for (std::sregex_iterator each(source.begin(), source.end(), test), end; each != end; ++each) {
    const std::string name = (*each)[1];
    for (std::sregex_iterator part(name.begin(), name.end(), rule); part != end; ++part)
      found.insert((*part)[1]);
  }
  return found;
}

std::set<std::string> rules_with_a_test() {
  const fs::path tests = fs::path(FAIRLEAD_SOURCE_DIR) / "tests";
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(tests)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".cpp") continue;
    if (entry.path().parent_path() == tests / "docs") continue;  // these speak about names of tests
    found.merge(rules_named_in(contents_of(entry.path())));
  }
  return found;
}

TEST(Rules, docs_semantics_lists_each_of_the_34_once_and_in_order) {
  const std::string text = contents_of(fs::path(FAIRLEAD_SOURCE_DIR) / "docs/semantics.md");
  static const std::regex item("\n- \\*\\*(R[0-9]{2})\\*\\* \\S");
  std::vector<std::string> listed;
  for (std::sregex_iterator each(text.begin(), text.end(), item), end; each != end; ++each)
    listed.push_back((*each)[1]);
  EXPECT_THAT(listed, ElementsAreArray(all_rules()));
}

TEST(Rules, each_has_a_test_that_is_named_after_it) {
  const std::set<std::string> tested = rules_with_a_test();
  std::vector<std::string> untested;
  for (const std::string& rule : all_rules())
    if (!tested.contains(rule)) untested.push_back(rule);
  EXPECT_THAT(untested, IsEmpty());
}

TEST(Rules, names_are_read_from_every_kind_of_test_and_from_nothing_else) {
  EXPECT_THAT(rules_named_in("TEST(A, R01_R02_both) TYPED_TEST(B, R03_x)\nTEST_P(C,\n  R04_y)"),
              ElementsAreArray({"R01", "R02", "R03", "R04"}));
  EXPECT_THAT(rules_named_in("// R05_in_a_comment\nTEST(R06_suite, name) TEST(A, R07) f(R08_x);"),
              IsEmpty());
}

}  // namespace
}  // namespace fairlead
