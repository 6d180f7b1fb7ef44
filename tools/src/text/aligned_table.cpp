#include "text/aligned_table.hpp"

#include <algorithm>

#include "text/printable.hpp"

namespace fairlead::tools {
namespace {

void append_row(std::string& out, const std::vector<std::string>& cells,
                const std::vector<AlignedTable::Column>& columns,
                const std::vector<std::size_t>& widths, std::size_t indent) {
  std::string line(indent, ' ');
  for (std::size_t column = 0; column < cells.size(); ++column) {
    const std::string padding(widths[column] - cells[column].size(), ' ');
    const bool right = columns[column].align == AlignedTable::Align::right;
    if (column > 0) line += "  ";
    line += right ? padding + cells[column] : cells[column] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

}  // namespace

void AlignedTable::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::size_t column = 0; column < cells.size(); ++column) {
    cells[column] = shortened(std::move(cells[column]), columns_[column].widest);
  }
  rows_.push_back(std::move(cells));
}

std::string AlignedTable::text(std::size_t indent) const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    titles.push_back(columns_[column].title);
    std::size_t width = titles.back().size();
    for (const auto& row : rows_) width = std::max(width, row[column].size());
    widths.push_back(width);
  }
  std::string out;
  append_row(out, titles, columns_, widths, indent);
  for (const auto& row : rows_) append_row(out, row, columns_, widths, indent);
  return out;
}

}  // namespace fairlead::tools
