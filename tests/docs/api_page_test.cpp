// docs/api.md shows what api_examples_test.cpp runs, word for word.
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> lines_of(const std::string& name) {
  std::ifstream file(std::string(FAIRLEAD_SOURCE_DIR) + "/" + name);
  EXPECT_TRUE(file) << name;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Without the spaces that all of its lines begin with.
std::string dedented(const std::vector<std::string>& lines) {
  std::size_t common = std::string::npos;
  for (const std::string& line : lines)
    common = std::min(common, std::min(line.find_first_not_of(' '), std::string::npos));
  std::string text;
  for (const std::string& line : lines) text += (line.empty() ? "" : line.substr(common)) + "\n";
  return text;
}

// Pieces that begin after a line for which `begins` is true and end before one for which `ends` is.
template <class Begins, class Ends>
std::vector<std::string> pieces(const std::vector<std::string>& lines, Begins begins, Ends ends) {
  std::vector<std::string> found;
  std::vector<std::string> piece;
  bool inside = false;
  for (const std::string& line : lines) {
    if (inside && ends(line)) {
      found.push_back(dedented(piece));
      inside = false;
    } else if (inside) {
      piece.push_back(line);
    } else if (begins(line)) {
      piece.clear();
      inside = true;
    }
  }
  return found;
}

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(' ');
  return first == std::string::npos ? "" : line.substr(first);
}

std::vector<std::string> marked_in(const std::vector<std::string>& lines) {
  return pieces(
      lines, [](const std::string& line) { return trimmed(line).starts_with("// ["); },
      [](const std::string& line) { return trimmed(line) == "// [end]"; });
}

std::vector<std::string> shown_in(const std::vector<std::string>& lines) {
  return pieces(
      lines, [](const std::string& line) { return line == "```cpp"; },
      [](const std::string& line) { return line == "```"; });
}

std::vector<std::string> missing_from(const std::vector<std::string>& all,
                                      const std::vector<std::string>& wanted) {
  const std::set<std::string> known(all.begin(), all.end());
  std::vector<std::string> missing;
  for (const std::string& each : wanted)
    if (!known.contains(each)) missing.push_back(each);
  return missing;
}

TEST(ApiPage, shows_what_is_run_and_nothing_else) {
  const auto shown = shown_in(lines_of("docs/api.md"));
  const auto run = marked_in(lines_of("tests/docs/api_examples_test.cpp"));
  EXPECT_THAT(missing_from(run, shown), IsEmpty()) << "shown, but not run";
  EXPECT_THAT(missing_from(shown, run), IsEmpty()) << "run, but not shown";
}

TEST(ApiPage, pieces_are_read_without_their_indentation) {
  EXPECT_THAT(marked_in({"a", "    // [one]", "    b", "", "      c", "    // [end]", "d"}),
              ElementsAre("b\n\n  c\n"));
  EXPECT_THAT(shown_in({"```", "a", "```", "```cpp", "b", "```"}), ElementsAre("b\n"));
}

}  // namespace
}  // namespace fairlead
