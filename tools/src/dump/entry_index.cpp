#include "dump/entry_index.hpp"

namespace fairlead::tools::dump {
namespace {

// Receipts and outbox share the outbox's line, route and cursors the route's.
shm::SegmentKind entry_kind(shm::SegmentKind kind) noexcept {
  switch (kind) {
    case shm::SegmentKind::route:
    case shm::SegmentKind::cursor:
      return shm::SegmentKind::route;
    case shm::SegmentKind::outbox:
    case shm::SegmentKind::receipt:
      return shm::SegmentKind::outbox;
    default:
      return kind;
  }
}

}  // namespace

EntryIndex::EntryIndex(const TableDump& table) : seen_(table.entries.size(), false) {
  for (std::size_t index = 0; index < table.entries.size(); ++index) {
    const EntryDump& entry = table.entries[index];
    if (!entry.segment.empty()) by_file_.emplace(entry.segment, index);
    by_id_.emplace(Key{entry.kind, entry.epoch, entry.identity.route_id}, index);
  }
}

std::optional<std::size_t> EntryIndex::find(const SegmentDump& segment) const {
  if (!segment.file.empty()) {
    const auto found = by_file_.find(segment.file);
    if (found == by_file_.end()) return std::nullopt;
    return found->second;
  }
  const auto found = by_id_.find({entry_kind(segment.kind), segment.epoch, segment.id});
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

void EntryIndex::mark(const SegmentDump& segment) {
  const bool main =
      segment.kind == shm::SegmentKind::route || segment.kind == shm::SegmentKind::receipt;
  if (main && segment.entry) seen_[*segment.entry] = true;
}

}  // namespace fairlead::tools::dump
