// docs/security.md promises what a test holds.
#include <filesystem>
#include <map>
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

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const fs::path kTests = fs::path(FAIRLEAD_SOURCE_DIR) / "tests";

// `folder.Suite.name`, wherever it stands.
std::vector<std::string> tests_named_in(const std::string& text) {
  static const std::regex name("`([a-z_]+\\.[A-Z]\\w*\\.\\w+)`");
  std::vector<std::string> found;
  for (std::sregex_iterator each(text.begin(), text.end(), name), end; each != end; ++each)
    found.push_back((*each)[1]);
  return found;
}

std::set<std::string> tests_in(const fs::path& folder) {
  static const std::regex test("\\bTEST(?:_F|_P)?\\s*\\(\\s*(\\w+)\\s*,\\s*(\\w+)\\s*\\)");
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string source = test::contents_of(entry.path());
    for (std::sregex_iterator each(source.begin(), source.end(), test), end; each != end; ++each)
      found.insert(folder.filename().string() + "." + (*each)[1].str() + "." + (*each)[2].str());
  }
  return found;
}

bool exists(const std::string& name) {
  static std::map<std::string, std::set<std::string>> known;
  const fs::path folder = kTests / name.substr(0, name.find('.'));
  if (!fs::is_directory(folder)) return false;
  auto& tests = known[folder];
  if (tests.empty()) tests = tests_in(folder);
  return tests.contains(name);
}

// The items of the lists below a heading, up to the next heading of its level.
std::vector<std::string> items_below(const std::string& text, const std::string& heading) {
  std::istringstream lines(text);
  std::vector<std::string> items;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside) continue;
    if (line.starts_with("- ")) items.emplace_back();
    if (items.empty() || line.starts_with("#")) continue;
    items.back() += line + "\n";
  }
  return items;
}

const std::string& page() {
  static const std::string text =
      test::contents_of(fs::path(FAIRLEAD_SOURCE_DIR) / "docs/security.md");
  return text;
}

TEST(SecurityPage, names_tests_that_exist) {
  std::vector<std::string> missing;
  for (const std::string& name : tests_named_in(page()))
    if (!exists(name)) missing.push_back(name);
  EXPECT_THAT(missing, IsEmpty());
}

TEST(SecurityPage, each_promise_names_its_test) {
  const auto promises = items_below(page(), "What is promised");
  EXPECT_GE(promises.size(), 25U);
  std::vector<std::string> bare;
  for (const std::string& promise : promises)
    if (tests_named_in(promise).empty()) bare.push_back(promise);
  EXPECT_THAT(bare, IsEmpty());
}

TEST(SecurityPage, is_read_as_meant) {
  EXPECT_THAT(tests_named_in("`a_b.Suite.x_1`, `x.y`, `a.suite.x` `doc.md`"),
              ElementsAre("a_b.Suite.x_1"));
  EXPECT_THAT(items_below("## A\n- x\n## B\n### C\n- one\n  two\ntext\n- three\n## D\n- y\n", "B"),
              ElementsAre("- one\n  two\ntext\n", "- three\n"));
  EXPECT_TRUE(exists("docs.SecurityPage.is_read_as_meant"));
  EXPECT_FALSE(exists("docs.SecurityPage.is_not_there"));
  EXPECT_FALSE(exists("no_such_folder.SecurityPage.is_read_as_meant"));
}

}  // namespace
}  // namespace fairlead
