#include "page.hpp"

#include <algorithm>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "source_text.hpp"

namespace fairlead::test {
namespace {

using Row = std::vector<std::string>;

struct Table {
  std::string heading;
  Row columns;
  std::vector<Row> rows;
};

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" `");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" `") - first + 1);
}

Row cells_of(const std::string& line) {
  Row cells;
  std::istringstream parts(line.substr(1));
  for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(trimmed(cell));
  return cells;
}

std::vector<std::string> quoted_in(const std::string& cell) {
  static const std::regex quoted("[\\w/.:]+");
  std::vector<std::string> found;
  for (std::sregex_iterator each(cell.begin(), cell.end(), quoted), end; each != end; ++each)
    found.push_back(each->str());
  return found;
}

/// Headings without a table count as tables without rows. Fenced blocks are left out.
std::vector<Table> tables_in(std::string_view text) {
  std::vector<Table> tables;
  std::istringstream lines{std::string(text)};
  std::string heading;
  bool fenced = false;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) fenced = !fenced;
    if (!fenced && line.starts_with("#")) {
      heading = line;
      tables.push_back({heading, {}, {}});
    }
    const bool row = !fenced && line.starts_with("|");
    if (row && !inside) {
      tables.push_back({heading, cells_of(line), {}});
    } else if (row && !line.starts_with("|-")) {
      tables.back().rows.push_back(cells_of(line));
    }
    inside = row;
  }
  return tables;
}

std::uint64_t number(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  EXPECT_TRUE(digits) << "'" << text << "' is no number";
  return digits ? std::stoull(text) : 0;
}

PageRow row_of(const Row& cells) {
  EXPECT_EQ(cells.size(), 7U) << (cells.empty() ? "" : cells.front());
  if (cells.size() != 7) return {};
  const std::string label = cells[5] == "-" ? "" : cells[5];
  return {{cells[2], number(cells[0]), number(cells[1]), cells[3]}, cells[4], label};
}

// One entry of the page for each heading of a structure, whether its table is there or not.
void read_structure(const Table& table, Page& page) {
  static const std::regex form("### `(\\w+)` \\((\\d+) bytes, alignment (\\d+)\\)");
  std::smatch found;
  if (!std::regex_match(table.heading, found, form)) return;
  const bool is_new = page.structures.empty() || page.structures.back().name != found[1];
  if (is_new) page.structures.push_back({found[1], number(found[2]), number(found[3]), {}});
  static const Row kColumns = {"Offset", "Size", "Name", "Type", "Writer", "Sync", "Meaning"};
  if (table.columns != kColumns) return;
  for (const Row& row : table.rows) page.structures.back().rows.push_back(row_of(row));
}

void read_packed_word(const Table& table, Page& page) {
  static const std::regex form("### `(\\w+)` \\((\\d+) bits\\)");
  static const std::regex range("(\\d+)\\.\\.(\\d+)");
  std::smatch found;
  if (table.columns != Row{"Bits", "Name", "Meaning"}) return;
  if (!std::regex_match(table.heading, found, form)) return;
  PackedWord word{found[1], number(found[2]), {}};
  for (const Row& row : table.rows) {
    std::smatch bits;
    const bool sound = std::regex_match(row.front(), bits, range);
    EXPECT_TRUE(sound) << row.front();
    if (sound) word.parts.push_back({number(bits[1]), number(bits[2]), row[1]});
  }
  page.packed_words.push_back(std::move(word));
}

void read_enumeration(const Row& row, Page& page) {
  static const std::regex value("(\\d+) `(\\w+)`");
  Enumeration made{row[0], row[1], {}};
  const std::string list = row[2] + '`';  // the last quote was trimmed away
  for (std::sregex_iterator each(list.begin(), list.end(), value), end; each != end; ++each)
    made.values.emplace_back(number((*each)[1]), (*each)[2]);
  page.enumerations.push_back(std::move(made));
}

void read_label(const Row& row, Page& page) {
  page.labels.push_back({row[0].substr(0, row[0].find(' ')), quoted_in(row[1]), quoted_in(row[2]),
                         quoted_in(row[3])});
}

void read_other(const Table& table, Page& page) {
  const std::string first = table.columns.empty() ? "" : table.columns.front();
  for (const Row& row : table.rows) {
    if (first == "Constant") page.constants.push_back({row[0], number(row[1])});
    if (first == "Enumeration") read_enumeration(row, page);
    if (first == "Label") read_label(row, page);
  }
}

std::vector<std::string> constants_named_in(const std::string& text) {
  static const std::regex constant("`(k[A-Z]\\w+)`");
  std::vector<std::string> found;
  for (std::sregex_iterator each(text.begin(), text.end(), constant), end; each != end; ++each)
    found.push_back((*each)[1]);
  return found;
}

std::vector<std::uint64_t> numbers_in_pictures_of(const std::string& text) {
  static const std::regex large("\\d{1,3}(?:,\\d{3})+");
  std::vector<std::uint64_t> found;
  std::istringstream lines(text);
  bool fenced = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) fenced = !fenced;
    if (!fenced) continue;
    for (std::sregex_iterator each(line.begin(), line.end(), large), end; each != end; ++each) {
      std::string digits = each->str();
      std::erase(digits, ',');
      found.push_back(number(digits));
    }
  }
  return found;
}

}  // namespace

Page parse_page(std::string_view text) {
  Page page;
  for (const Table& table : tables_in(text)) {
    read_structure(table, page);
    read_packed_word(table, page);
    read_other(table, page);
  }
  page.constants_named = constants_named_in(std::string(text));
  page.numbers_in_pictures = numbers_in_pictures_of(std::string(text));
  return page;
}

const Page& the_page() {
  static const Page page = parse_page(contents_of("docs/shm_layout.md"));
  return page;
}

}  // namespace fairlead::test
