#include "outcome.hpp"

#include <algorithm>
#include <sstream>

namespace fairlead::test {

bool says_lines_of(const std::string& text, const std::vector<std::string>& names) {
  if (text.empty() || text.back() != '\n') return false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool known = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return line.starts_with(name + ": ") && line.size() > name.size() + 2;
    });
    if (!known) return false;
  }
  return true;
}

}  // namespace fairlead::test
