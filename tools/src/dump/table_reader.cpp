#include "dump/table_reader.hpp"

#include <string>

#include <fairlead/shm/layout/table_layout.hpp>
#include <fairlead/shm/route_identity.hpp>
#include <fairlead/shm/untrusted.hpp>

#include "dump/header_reader.hpp"

namespace fairlead::tools::dump {
namespace {

using shm::TableEntry;
using shm::TableHeader;

// More than any broker makes. Bounds the work that a huge sparse file can cause.
constexpr std::uint64_t kMostEntries = 1U << 20U;

std::uint64_t entry_offset(std::uint64_t index) noexcept {
  return shm::kTableEntriesOffset + index * sizeof(TableEntry);
}

std::optional<std::uint64_t> entry_count(const SegmentBytes& bytes, const TableHeader& table,
                                         SegmentDump& segment) {
  if (table.entry_bytes != sizeof(TableEntry)) {
    blame(segment, Verdict::corrupt,
          "its entries have " + std::to_string(table.entry_bytes) + " bytes, expected " +
              std::to_string(sizeof(TableEntry)));
    return std::nullopt;
  }
  const std::uint64_t entries = table.entries.load(std::memory_order_relaxed);
  if (entries > kMostEntries) {
    blame(segment, Verdict::corrupt, "it claims to have " + std::to_string(entries) + " entries");
    return std::nullopt;
  }
  const std::uint64_t size = bytes.size();
  if (!shm::fits(shm::kTableEntriesOffset, entries * sizeof(TableEntry), size)) {
    blame(segment, Verdict::truncated,
          "it was cut to " + std::to_string(size) + " bytes, its " + std::to_string(entries) +
              " entries need " + std::to_string(entry_offset(entries)));
    return size < shm::kTableEntriesOffset ? 0
                                           : (size - shm::kTableEntriesOffset) / sizeof(TableEntry);
  }
  return entries;
}

std::string entry_problem(const TableEntry& entry) {
  if (entry.state > shm::TableEntryState::interim) {
    return "state is " + std::to_string(static_cast<std::uint32_t>(entry.state));
  }
  if (entry.kind != shm::SegmentKind::route && entry.kind != shm::SegmentKind::outbox) {
    return "kind is " + std::to_string(static_cast<std::uint32_t>(entry.kind));
  }
  if (entry.segment.length > shm::kMaximumSegmentNameBytes) return "segment name is too long";
  if (entry.payer.length > shm::kMaximumPrincipalBytes) return "payer is too long";
  if (!entry.segment.view().empty() && !shm::parse_segment_name(entry.segment.view())) {
    return "segment name is none";
  }
  return shm::identity_problem(entry.identity, entry.kind == shm::SegmentKind::route);
}

void read_entry(const SegmentBytes& bytes, std::uint64_t index, Patience patience,
                SegmentDump& segment, TableDump& table) {
  const std::uint64_t offset = entry_offset(index);
  Image<TableEntry> entry;
  // sync: table-entry
  const Snapshot snapshot = read_snapshot(bytes, offset + offsetof(TableEntry, snapshot), patience,
                                          [&] { return entry.read(bytes, offset); });
  if (snapshot == Snapshot::unreadable) return;  // cut meanwhile; the next look will say so
  if (entry->state == shm::TableEntryState::free) return;
  const bool torn = snapshot != Snapshot::consistent;
  const std::string problem = entry_problem(*entry);
  const std::string which = "entry " + std::to_string(index);
  if (torn) blame(segment, Verdict::torn, which + " is in the middle of a change");
  if (!problem.empty()) {
    if (!torn) blame(segment, Verdict::corrupt, which + ": its " + problem);
    return;
  }
  table.entries.push_back({.kind = entry->kind,
                           .sealed = entry->sealed != 0,
                           .torn = torn,
                           .interim = entry->state == shm::TableEntryState::interim,
                           .epoch = entry->epoch,
                           .claimed_epoch = entry->claimed_epoch,
                           .guest = entry->guest,
                           .gate = entry->gate.load(std::memory_order_relaxed),
                           .segment = std::string(entry->segment.view()),
                           .payer = std::string(entry->payer.view()),
                           .identity = entry->identity});
}

}  // namespace

std::optional<TableDump> read_table(const SegmentBytes& bytes, Patience patience,
                                    SegmentDump& segment) {
  Image<TableHeader> header;
  // sync: table-header
  const Snapshot snapshot = read_snapshot(bytes, offsetof(TableHeader, snapshot), patience,
                                          [&] { return header.read(bytes, 0); });
  if (snapshot == Snapshot::unreadable) {
    blame(segment, Verdict::truncated,
          "it was cut to " + std::to_string(bytes.size()) + " bytes, too few for a table");
    return std::nullopt;
  }
  if (snapshot != Snapshot::consistent) {
    blame(segment, Verdict::torn, "its header is in the middle of a change");
  }
  const auto entries = entry_count(bytes, *header, segment);
  if (!entries) return std::nullopt;
  TableDump table;
  table.socket_path = header->socket_path.view();
  table.next_sequence = header->next_sequence.load(std::memory_order_relaxed);
  table.next_subscription = header->next_subscription.load(std::memory_order_relaxed);
  const std::uint64_t stop = header->clean_stop.load(std::memory_order_relaxed);
  table.clean_stop = stop == shm::kTableEnded;
  table.handed_over = stop == shm::kTableHandedOver;
  table.grace_ns = header->grace_nanoseconds.load(std::memory_order_relaxed);
  for (std::uint64_t index = 0; index < *entries; ++index) {
    read_entry(bytes, index, patience, segment, table);
  }
  return table;
}

}  // namespace fairlead::tools::dump
