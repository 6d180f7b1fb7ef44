#include "reference_rules.hpp"

#include <algorithm>
#include <cstddef>

namespace fairlead::test {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> segments(1);
  for (const char letter : text) {
    if (letter == '.') {
      segments.emplace_back();
    } else {
      segments.back() += letter;
    }
  }
  return segments;
}

}  // namespace

bool reference_topic_is_valid(const std::string& topic) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:-";
  const auto segments = split(topic);
  return topic.size() <= 255 && segments.size() <= 20 &&
         std::all_of(segments.begin(), segments.end(), [&](const std::string& segment) {
           return !segment.empty() && segment.find_first_not_of(letters) == std::string::npos;
         });
}

bool reference_matches(const std::string& pattern, const std::string& topic) {
  const auto wanted = split(pattern);
  const auto given = split(topic);
  const bool open_end = wanted.back() == "*";
  if (open_end ? given.size() < wanted.size() : given.size() != wanted.size()) return false;
  for (std::size_t each = 0; each < wanted.size(); ++each) {
    if (wanted[each] != "*" && wanted[each] != given[each]) return false;
  }
  return true;
}

bool reference_admits(shm::AdmissionKind admission, const std::string& admitted,
                      const std::string& principal) {
  if (admission == shm::AdmissionKind::all) return true;
  if (principal == admitted) return true;
  return admission == shm::AdmissionKind::principal_or_system && principal.empty();
}

}  // namespace fairlead::test
