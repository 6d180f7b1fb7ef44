// What a broker's log says of those whom it threw out.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace fairlead::hostile_processes {

struct LogCheck {
  explicit LogCheck(const std::string& log);

  std::set<std::uint64_t> disconnected;          // guests, each with its reason
  std::map<std::string, std::uint64_t> reasons;  // and how often
  std::uint64_t dropped = 0;                     // lines that were not written (flood)
  std::uint64_t violations = 0;                  // of the closing words
  std::uint64_t unread = 0;
  std::uint64_t late = 0;
  std::uint64_t poisoned = 0;
  bool has_closing_words = false;
};

}  // namespace fairlead::hostile_processes
