// A table for people: columns as wide as their widest cell, two spaces between them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fairlead::tools {

class AlignedTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
    std::size_t widest = 40;  // longer cells are shortened in the middle
  };

  explicit AlignedTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  /// Every line begins with `indent` spaces and ends with a newline, no space before it.
  [[nodiscard]] std::string text(std::size_t indent) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace fairlead::tools
