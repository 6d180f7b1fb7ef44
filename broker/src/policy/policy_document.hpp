// A policy file as a tree of values that know where they stand. Keeps the TOML library out of
// everything but policy_document.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::broker {

// From 1, as editors count.
struct PolicyPosition {
  std::uint32_t line = 1;
  std::uint32_t column = 1;

  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees one in a defaulted comparison
  friend auto operator<=>(const PolicyPosition&, const PolicyPosition&) = default;
};

struct PolicyEntry;

struct PolicyValue {
  enum class Kind : std::uint8_t { integer, boolean, text, list, table, other };

  Kind kind = Kind::other;
  PolicyPosition position;
  std::int64_t integer = 0;
  bool boolean = false;
  std::string text;
  std::vector<PolicyValue> list;
  std::vector<PolicyEntry> table;
};

struct PolicyEntry {
  std::string key;
  PolicyPosition position;  // of the key
  PolicyValue value;
};

/// "a whole number", "true or false", "a text", "a list", "a table", "a number or date"
[[nodiscard]] std::string_view to_string(PolicyValue::Kind kind) noexcept;

// Collects what is wrong with a file.
class PolicyProblems {
 public:
  explicit PolicyProblems(std::string_view file_name) : file_name_(file_name) {}

  void add(PolicyPosition position, std::string sentence);
  [[nodiscard]] bool none() const noexcept { return problems_.empty(); }
  [[nodiscard]] std::size_t count() const noexcept { return problems_.size(); }

  /// "file:line:column: sentence" in the order of the file.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  struct Problem {
    PolicyPosition position;
    std::string sentence;
  };
  std::string file_name_;
  std::vector<Problem> problems_;
};

/// The file's top-level table; empty and with a problem added where the text is not TOML.
[[nodiscard]] PolicyValue parse_policy_document(std::string_view text, PolicyProblems& problems);

}  // namespace fairlead::broker
