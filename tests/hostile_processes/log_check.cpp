#include "log_check.hpp"

#include <regex>
#include <sstream>

namespace fairlead::hostile_processes {

LogCheck::LogCheck(const std::string& log) {
  // The guest's number stands in front of who it is.
  const std::regex out(R"(guest (\d+)[^:]*: disconnected: it (.*?)( \(\d+ log lines.*)?$)");
  const std::regex lost(R"(\((\d+) log lines before this one were dropped\))");
  const std::regex closing(
      R"(served \d+ connections: \d+ attaches refused, \d+ requests refused, (\d+) disconnected )"
      R"(for what they sent or wrote, (\d+) for not reading, (\d+) for being late, (\d+) routes )");
  std::istringstream lines(log);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, out)) {
      disconnected.insert(std::stoull(match[1]));
      ++reasons[match[2]];
    }
    if (std::regex_search(line, match, lost)) dropped += std::stoull(match[1]);
    if (std::regex_search(line, match, closing)) {
      has_closing_words = true;
      violations = std::stoull(match[1]);
      unread = std::stoull(match[2]);
      late = std::stoull(match[3]);
      poisoned = std::stoull(match[4]);
    }
  }
}

}  // namespace fairlead::hostile_processes
