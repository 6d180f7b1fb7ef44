// Which line of a route table is about which segment.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "dump/model.hpp"

namespace fairlead::tools::dump {

class EntryIndex {
 public:
  EntryIndex() = default;
  explicit EntryIndex(const TableDump& table);

  [[nodiscard]] std::optional<std::size_t> find(const SegmentDump& segment) const;

  /// Whether the line's main segment (the route, or the receipts) was among those looked up.
  [[nodiscard]] bool seen(std::size_t entry) const { return seen_[entry]; }
  void mark(const SegmentDump& segment);

 private:
  using Key = std::tuple<shm::SegmentKind, std::uint64_t, std::uint64_t>;  // kind, epoch, id

  std::unordered_map<std::string, std::size_t> by_file_;
  std::map<Key, std::size_t> by_id_;
  std::vector<bool> seen_;
};

}  // namespace fairlead::tools::dump
