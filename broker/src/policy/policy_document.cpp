#include "policy/policy_document.hpp"

#include <algorithm>
#include <utility>

#include <toml++/toml.h>

#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

PolicyPosition position_of(const toml::source_region& region) {
  return {std::max<std::uint32_t>(region.begin.line, 1),
          std::max<std::uint32_t>(region.begin.column, 1)};
}

// The TOML library bounds how deep a file can nest.
PolicyValue converted(const toml::node& node) {
  PolicyValue value;
  value.position = position_of(node.source());
  if (const auto* const integer = node.as_integer()) {
    value.kind = PolicyValue::Kind::integer;
    value.integer = integer->get();
  } else if (const auto* const boolean = node.as_boolean()) {
    value.kind = PolicyValue::Kind::boolean;
    value.boolean = boolean->get();
  } else if (const auto* const text = node.as_string()) {
    value.kind = PolicyValue::Kind::text;
    value.text = text->get();
  } else if (const auto* const list = node.as_array()) {
    value.kind = PolicyValue::Kind::list;
    for (const toml::node& element : *list) value.list.push_back(converted(element));
  } else if (const auto* const table = node.as_table()) {
    value.kind = PolicyValue::Kind::table;
    for (const auto& [key, element] : *table) {
      value.table.push_back(
          {std::string(key.str()), position_of(key.source()), converted(element)});
    }
  }
  return value;
}

}  // namespace

std::string_view to_string(PolicyValue::Kind kind) noexcept {
  switch (kind) {
    case PolicyValue::Kind::integer:
      return "a whole number";
    case PolicyValue::Kind::boolean:
      return "true or false";
    case PolicyValue::Kind::text:
      return "a text";
    case PolicyValue::Kind::list:
      return "a list";
    case PolicyValue::Kind::table:
      return "a table";
    case PolicyValue::Kind::other:
      break;
  }
  return "a fraction or date";
}

void PolicyProblems::add(PolicyPosition position, std::string sentence) {
  problems_.push_back({position, std::move(sentence)});
}

std::vector<std::string> PolicyProblems::lines() const {
  std::vector<Problem> sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& left, const Problem& right) {
    return left.position < right.position;
  });
  std::vector<std::string> lines;
  lines.reserve(sorted.size());
  for (const Problem& problem : sorted) {
    lines.push_back(file_name_ + ":" + std::to_string(problem.position.line) + ":" +
                    std::to_string(problem.position.column) + ": " + problem.sentence);
  }
  return lines;
}

PolicyValue parse_policy_document(std::string_view text, PolicyProblems& problems) {
  try {
    return converted(toml::parse(text));
  } catch (const toml::parse_error& error) {
    problems.add(position_of(error.source()),
                 "this is not valid TOML: " + plain_text(error.description(), 200));
  }
  PolicyValue empty;
  empty.kind = PolicyValue::Kind::table;
  return empty;
}

}  // namespace fairlead::broker
