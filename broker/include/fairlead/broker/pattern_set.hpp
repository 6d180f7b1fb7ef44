// A set of patterns that answers permission questions with delivery's own matcher (R05).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::broker {

// Immutable; copies share their patterns. Safe to use from several threads.
class PatternSet {
 public:
  /// Allows nothing.
  PatternSet();

  /// Throws Error(invalid_pattern) when one of them breaks R04.
  explicit PatternSet(std::vector<std::string> patterns);

  /// True when one of the patterns matches the topic. False for text that breaks R04.
  [[nodiscard]] bool allows(std::string_view topic) const noexcept;

  /// True when one of the patterns covers the whole of `requested`. Where several would be needed
  /// together the answer is false, but that cannot happen for any pattern with room for one fresh
  /// segment of two bytes in place of each star. False for text that breaks R04.
  [[nodiscard]] bool covers(std::string_view requested) const noexcept;

  [[nodiscard]] const std::vector<std::string>& patterns() const noexcept;

 private:
  struct Content;
  std::shared_ptr<const Content> content_;
};

}  // namespace fairlead::broker
