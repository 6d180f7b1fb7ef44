// Links in the documentation lead to files and headings that exist.
#include <algorithm>
#include <cctype>
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
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using test::contents_of;

// As forges make it: lower case, spaces to dashes, other punctuation dropped.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char each : heading) {
    const auto byte = static_cast<unsigned char>(each);
    if (std::isalnum(byte) != 0 || each == '-' || each == '_')
      anchor += static_cast<char>(std::tolower(byte));
    if (each == ' ') anchor += '-';
  }
  return anchor;
}

std::set<std::string> anchors_in(const std::string& text) {
  static const std::regex heading("(?:^|\n)#{1,6} ([^\n]+)");
  std::set<std::string> anchors;
  for (std::sregex_iterator each(text.begin(), text.end(), heading), end; each != end; ++each)
    anchors.insert(anchor_of((*each)[1]));
  return anchors;
}

// Without fenced code, where brackets mean something else.
std::string prose_of(const std::string& text) {
  std::istringstream lines(text);
  std::string prose;
  bool code = false;
  for (std::string line; std::getline(lines, line);) {
    const bool fence = line.starts_with("```");
    if (fence) code = !code;
    if (!code && !fence) prose += line + "\n";
  }
  return prose;
}

// Targets of inline links and images, without those to the web.
std::vector<std::string> links_in(const std::string& text) {
  static const std::regex link("\\]\\(([^()\\s]+)\\)");
  const std::string prose = prose_of(text);
  std::vector<std::string> links;
  for (std::sregex_iterator each(prose.begin(), prose.end(), link), end; each != end; ++each) {
    std::string target = (*each)[1];
    if (target.find("://") == std::string::npos) links.push_back(std::move(target));
  }
  return links;
}

bool leads_somewhere(const fs::path& from, const std::string& target) {
  const std::size_t hash = std::min(target.find('#'), target.size());
  const fs::path file = hash == 0 ? from : from.parent_path() / target.substr(0, hash);
  if (!fs::exists(file)) return false;
  if (hash == target.size()) return true;
  return anchors_in(contents_of(file)).contains(target.substr(hash + 1));
}

std::vector<fs::path> pages() {
  const fs::path root = FAIRLEAD_SOURCE_DIR;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(root))
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  return found;
}

TEST(Links, lead_to_files_and_headings_that_exist) {
  std::vector<std::string> broken;
  for (const fs::path& page : pages()) {
    for (const std::string& target : links_in(contents_of(page)))
      if (!leads_somewhere(page, target))
        broken.push_back(page.filename().string() + ": " + target);
  }
  EXPECT_THAT(broken, IsEmpty());
}

TEST(Links, every_page_below_docs_is_reached_from_its_index) {
  const fs::path docs = fs::path(FAIRLEAD_SOURCE_DIR) / "docs";
  std::set<fs::path> reached = {docs / "README.md"};
  std::vector<fs::path> to_read = {docs / "README.md"};
  while (!to_read.empty()) {
    const fs::path page = to_read.back();
    to_read.pop_back();
    for (const std::string& target : links_in(contents_of(page))) {
      const std::string file = target.substr(0, target.find('#'));
      const fs::path next = (page.parent_path() / file).lexically_normal();
      if (next.extension() == ".md" && fs::exists(next) && reached.insert(next).second)
        to_read.push_back(next);
    }
  }
  std::vector<fs::path> lost;
  for (const fs::path& page : pages())
    if (page.parent_path() != docs.parent_path() && !reached.contains(page)) lost.push_back(page);
  EXPECT_THAT(lost, IsEmpty());
}

TEST(Links, are_told_from_the_web_and_resolved_with_headings) {
  EXPECT_THAT(
      links_in(
          "[a](b.md) ![c](d/e.svg) [f](https://example.org/x) [g](h.md#i-j)\n```\n[](k)\n```\n"),
      ElementsAre("b.md", "d/e.svg", "h.md#i-j"));
  EXPECT_THAT(anchors_in("# One two\ntext\n## `a.b`: C\n"), ElementsAre("ab-c", "one-two"));
  const fs::path page = fs::path(FAIRLEAD_SOURCE_DIR) / "docs/semantics.md";
  EXPECT_TRUE(leads_somewhere(page, "#words"));
  EXPECT_FALSE(leads_somewhere(page, "#no-such-heading"));
  EXPECT_FALSE(leads_somewhere(page, "no_such_file.md"));
}

}  // namespace
}  // namespace fairlead
