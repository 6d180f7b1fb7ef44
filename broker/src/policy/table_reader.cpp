#include "policy/table_reader.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

// Changes of one byte that lead from one word to the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t column = 0; column <= to.size(); ++column) row[column] = column;
  for (std::size_t line = 1; line <= from.size(); ++line) {
    std::size_t diagonal = std::exchange(row[0], line);
    for (std::size_t column = 1; column <= to.size(); ++column) {
      const std::size_t replaced = diagonal + (from[line - 1] == to[column - 1] ? 0 : 1);
      diagonal = row[column];
      row[column] = std::min({replaced, row[column] + 1, row[column - 1] + 1});
    }
  }
  return row[to.size()];
}

std::string quoted(std::string_view key) { return "'" + std::string(key) + "'"; }

std::string range_text(const PolicyKey& key) {
  return std::to_string(key.minimum) + " to " + std::to_string(key.maximum) + " " +
         std::string(key.unit);
}

}  // namespace

std::string unknown_key_sentence(std::string_view key, std::string_view where,
                                 const std::vector<std::string_view>& known) {
  std::string sentence = "unknown key " + shown(key) + " in " + std::string(where);
  constexpr std::size_t kLongestKey = 40;  // longer ones are no slip of the finger
  std::size_t best = key.size() > kLongestKey ? 0 : key.size() / 3 + 1;
  std::string_view closest;
  for (const std::string_view candidate : known) {
    if (best == 0) break;
    const std::size_t distance = edit_distance(key, candidate);
    if (distance > best || (distance == best && !closest.empty())) continue;
    best = distance;
    closest = candidate;
  }
  if (!closest.empty()) return sentence + "; did you mean " + quoted(closest) + "?";
  sentence += "; it may hold ";
  for (std::size_t index = 0; index < known.size(); ++index) {
    sentence += (index == 0 ? "" : ", ") + std::string(known[index]);
  }
  return sentence;
}

TableReader::TableReader(const PolicyValue& value, PolicyTable table, PolicyProblems& problems,
                         std::initializer_list<std::string_view> subtables)
    : value_(value), table_(table), problems_(problems) {
  std::vector<std::string_view> known(subtables);
  for (const PolicyKey& key : kPolicyKeys) {
    if (key.table == table) known.push_back(key.name);
  }
  for (const PolicyEntry& entry : value_.table) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      problems_.add(entry.position, unknown_key_sentence(entry.key, to_string(table), known));
    }
  }
}

const PolicyValue* TableReader::find(std::string_view key) const noexcept {
  for (const PolicyEntry& entry : value_.table) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

const PolicyValue* TableReader::find_of(std::string_view key, PolicyValue::Kind kind) {
  const PolicyValue* const value = find(key);
  if (value == nullptr || value->kind == kind) return value;
  problem_at(key, quoted(key) + " must be " + std::string(to_string(kind)) + ", not " +
                      std::string(to_string(value->kind)));
  return nullptr;
}

PolicyPosition TableReader::position_of(std::string_view key) const noexcept {
  const PolicyValue* const value = find(key);
  return value == nullptr ? value_.position : value->position;
}

void TableReader::problem_at(std::string_view key, std::string sentence) {
  problems_.add(position_of(key), std::move(sentence));
}

void TableReader::read(std::string_view key, std::uint64_t& target) {
  const PolicyValue* const value = find_of(key, PolicyValue::Kind::integer);
  if (value == nullptr) return;
  const PolicyKey& known = *find_policy_key(table_, key);
  const auto number = static_cast<std::uint64_t>(value->integer);  // negative: above any maximum
  if (number >= known.minimum && number <= known.maximum) {
    target = number;
  } else {
    problem_at(key, quoted(key) + " must be " + range_text(known) + ", not " +
                        std::to_string(value->integer));
  }
}

void TableReader::read(std::string_view key, bool& target) {
  const PolicyValue* const value = find_of(key, PolicyValue::Kind::boolean);
  if (value != nullptr) target = value->boolean;
}

void TableReader::read(std::string_view key, PlacedText& target) {
  const PolicyValue* const value = find_of(key, PolicyValue::Kind::text);
  if (value != nullptr) target = {value->text, value->position};
}

void TableReader::read(std::string_view key, std::vector<PlacedText>& target) {
  const PolicyValue* const value = find_of(key, PolicyValue::Kind::list);
  if (value == nullptr) return;
  target.clear();
  for (const PolicyValue& element : value->list) {
    if (element.kind == PolicyValue::Kind::text) {
      target.push_back({element.text, element.position});
    } else {
      problems_.add(element.position, quoted(key) + " must be a list of texts, but this is " +
                                          std::string(to_string(element.kind)));
    }
  }
}

void TableReader::read_identity(std::string_view key, const PolicyValue& value, std::uint32_t self,
                                std::vector<std::uint32_t>& target) {
  constexpr std::int64_t kNobody = std::numeric_limits<std::uint32_t>::max();  // (uid_t)-1
  if (value.kind == PolicyValue::Kind::text && value.text == "self") {
    target.push_back(self);
  } else if (value.kind == PolicyValue::Kind::integer && value.integer >= 0 &&
             value.integer < kNobody) {
    target.push_back(static_cast<std::uint32_t>(value.integer));
  } else {
    problems_.add(value.position,
                  quoted(key) +
                      " must be a number of 0 to 4294967294, a list of them, or \"self\" "
                      "for the broker's own");
  }
}

void TableReader::read_identities(std::string_view key, std::uint32_t self,
                                  std::vector<std::uint32_t>& target) {
  const PolicyValue* const value = find(key);
  if (value == nullptr) return;
  if (value->kind != PolicyValue::Kind::list) {
    read_identity(key, *value, self, target);
    return;
  }
  for (const PolicyValue& element : value->list) read_identity(key, element, self, target);
}

const PolicyValue* TableReader::subtable(std::string_view key) {
  return find_of(key, PolicyValue::Kind::table);
}

std::string_view to_string(PolicyTable table) noexcept {
  switch (table) {
    case PolicyTable::broker:
      return "[broker]";
    case PolicyTable::principal:
      return "[[principal]]";
    case PolicyTable::quota:
      return "[principal.quota]";
    case PolicyTable::minter:
      break;
  }
  return "[[minter]]";
}

const PolicyKey* find_policy_key(PolicyTable table, std::string_view name) noexcept {
  for (const PolicyKey& key : kPolicyKeys) {
    if (key.table == table && key.name == name) return &key;
  }
  return nullptr;
}

}  // namespace fairlead::broker
