#include "differences.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace fairlead::test {
namespace {

template <class Named>
const Named* find(const std::vector<Named>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string text_of(const Field& field) {
  return std::to_string(field.offset) + " | " + std::to_string(field.bytes) + " | " + field.name +
         " | " + field.type;
}

/// The fields, and what lies between them and behind the last one.
Sentences all_bytes_of(const Structure& structure) {
  Sentences rows;
  std::uint64_t at = 0;
  const auto pad_to = [&](std::uint64_t end) {
    if (end != at) rows.push_back(text_of({"padding", at, end - at, ""}));
  };
  for (const Field& field : structure.fields) {
    pad_to(field.offset);
    rows.push_back(text_of(field));
    at = field.offset + field.bytes;
  }
  pad_to(structure.bytes);
  return rows;
}

std::string size_of(std::uint64_t bytes, std::uint64_t alignment) {
  return std::to_string(bytes) + " bytes, alignment " + std::to_string(alignment);
}

Sentences compare_structure(const PageStructure& page, const Structure& code) {
  Sentences rows;
  for (const PageRow& row : page.rows) rows.push_back(text_of(row.field));
  const Sentences bytes = all_bytes_of(code);
  Sentences found = compare_texts(rows, bytes);
  if (found.empty() && rows != bytes) found.push_back("the rows are not in order");
  const std::string says = size_of(page.bytes, page.alignment);
  const std::string is = size_of(code.bytes, code.alignment);
  if (says != is) found.push_back("the page says " + says + ", the code " + is);
  return found;
}

}  // namespace

Sentences compare_texts(Sentences page, Sentences code) {
  std::sort(page.begin(), page.end());
  std::sort(code.begin(), code.end());
  Sentences missing;
  Sentences wrong;
  std::set_difference(code.begin(), code.end(), page.begin(), page.end(),
                      std::back_inserter(missing));
  std::set_difference(page.begin(), page.end(), code.begin(), code.end(),
                      std::back_inserter(wrong));
  Sentences found;
  for (const std::string& each : missing) found.push_back("missing on the page: " + each);
  for (const std::string& each : wrong) found.push_back("only on the page: " + each);
  return found;
}

Sentences compare_structures(const std::vector<PageStructure>& page,
                             const std::vector<Structure>& code) {
  Sentences found;
  Sentences on_page;
  Sentences in_code;
  for (const PageStructure& each : page) on_page.push_back(each.name);
  for (const Structure& each : code) {
    in_code.push_back(each.name);
    const PageStructure* shown = find(page, each.name);
    if (shown == nullptr) continue;
    for (const std::string& sentence : compare_structure(*shown, each))
      found.push_back(each.name + ": " + sentence);
  }
  for (const std::string& sentence : compare_texts(on_page, in_code)) found.push_back(sentence);
  return found;
}

Sentences compare_members(const std::vector<Declared>& headers, const std::vector<Structure>& code,
                          const std::vector<PackedWord>& packed) {
  Sentences found;
  for (const Declared& each : headers) {
    if (find(packed, each.name) != nullptr) continue;
    const Structure* structure = find(code, each.name);
    if (structure == nullptr) {
      found.push_back(each.name + " is declared, but not in code.cpp");
      continue;
    }
    std::vector<std::string> names;
    for (const Field& field : structure->fields) names.push_back(field.name);
    if (names != each.members)
      found.push_back(each.name + " has other members than code.cpp says, or in another order");
  }
  for (const Structure& each : code) {
    if (find(headers, each.name) == nullptr) found.push_back(each.name + " is declared nowhere");
  }
  return found;
}

Sentences compare_labels(const std::vector<Declared>& headers,
                         const std::vector<PageStructure>& page) {
  Sentences in_code;
  Sentences on_page;
  for (const Declared& each : headers) {
    for (const std::string& label : each.labels) in_code.push_back(each.name + ": " + label);
  }
  for (const PageStructure& each : page) {
    std::set<std::string> labels;
    for (const PageRow& row : each.rows) labels.insert(row.label);
    labels.erase("");
    for (const std::string& label : labels) on_page.push_back(each.name + ": " + label);
  }
  return compare_texts(on_page, in_code);
}

}  // namespace fairlead::test
