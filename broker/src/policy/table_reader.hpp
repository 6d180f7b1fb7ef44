// Takes the keys of one table of a policy file, checking name, type and range of each.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_document.hpp"
#include "policy/policy_keys.hpp"

namespace fairlead::broker {

struct PlacedText {
  std::string text;
  PolicyPosition position;
};

// A key that is absent or wrong leaves its target as it was; what is wrong goes to the problems.
class TableReader {
 public:
  /// Reports keys that are neither of `table` nor among `subtables`. The value must be a table and
  /// live as long as the reader.
  TableReader(const PolicyValue& value, PolicyTable table, PolicyProblems& problems,
              std::initializer_list<std::string_view> subtables = {});

  /// True when the key is there, right or wrong.
  [[nodiscard]] bool has(std::string_view key) const noexcept { return find(key) != nullptr; }

  /// Where the key's value stands, or the table itself if there is none.
  [[nodiscard]] PolicyPosition position_of(std::string_view key) const noexcept;

  void read(std::string_view key, std::uint64_t& target);
  void read(std::string_view key, bool& target);
  void read(std::string_view key, PlacedText& target);
  void read(std::string_view key, std::vector<PlacedText>& target);

  /// A uid or gid or a list of them; the text "self" stands for `self`.
  void read_identities(std::string_view key, std::uint32_t self,
                       std::vector<std::uint32_t>& target);

  /// Null unless there is a table of that name; another type there is a problem.
  [[nodiscard]] const PolicyValue* subtable(std::string_view key);

  void problem_at(std::string_view key, std::string sentence);

 private:
  [[nodiscard]] const PolicyValue* find(std::string_view key) const noexcept;
  [[nodiscard]] const PolicyValue* find_of(std::string_view key, PolicyValue::Kind kind);
  void read_identity(std::string_view key, const PolicyValue& value, std::uint32_t self,
                     std::vector<std::uint32_t>& target);

  const PolicyValue& value_;
  PolicyTable table_;
  PolicyProblems& problems_;
};

/// `unknown key 'publsh' in [[principal]]; did you mean 'publish'?`
[[nodiscard]] std::string unknown_key_sentence(std::string_view key, std::string_view where,
                                               const std::vector<std::string_view>& known);

}  // namespace fairlead::broker
