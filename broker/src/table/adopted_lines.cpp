#include "table/adopted_lines.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include <fairlead/shm/route_identity.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "delivery/gate.hpp"

namespace fairlead::broker {
namespace {

using shm::SegmentKind;
using shm::TableEntry;
using shm::TableEntryState;

bool segment_is_ours(const TableEntry& entry, std::string_view broker) {
  if (entry.segment.length > shm::kMaximumSegmentNameBytes) return false;
  if (entry.segment.view().empty())
    return entry.sealed == 1 && entry.state == TableEntryState::live;
  const auto name = shm::parse_segment_name(entry.segment.view());
  const SegmentKind kind =
      entry.kind == SegmentKind::outbox ? SegmentKind::receipt : SegmentKind::route;
  return name && name->broker == broker && name->kind == kind;
}

bool makes_sense(const TableEntry& entry, std::string_view broker) {
  if (entry.state != TableEntryState::live && entry.state != TableEntryState::interim) return false;
  if (entry.kind != SegmentKind::route && entry.kind != SegmentKind::outbox) return false;
  if (entry.payer.length > shm::kMaximumPayerBytes) return false;
  return segment_is_ours(entry, broker) &&
         shm::identity_problem(entry.identity, entry.kind == SegmentKind::route).empty();
}

AdoptedLine to_line(const TableEntry& entry, std::uint64_t slot) {
  AdoptedLine line;
  line.slot = slot;
  line.record = {.kind = entry.kind,
                 .interim = entry.state == TableEntryState::interim,
                 .guest = entry.guest,
                 .epoch = entry.epoch,
                 .claimed_epoch = entry.claimed_epoch,
                 .sealed = entry.sealed == 1,
                 .gate = entry.gate.load(std::memory_order_relaxed),
                 .identity = entry.identity,
                 .segment = std::string(entry.segment.view()),
                 .payer = std::string(entry.payer.view()),
                 .missed_nanoseconds = entry.missed_nanoseconds};
  std::memcpy(line.record.resume_token.data(), entry.resume_token, sizeof entry.resume_token);
  return line;
}

bool is_newer(const TableRecord& one, const TableRecord& other) noexcept {
  if (one.epoch != other.epoch) return one.epoch > other.epoch;
  return !one.interim && other.interim;
}

void finish_gate_change(const shm::TableHeader& header, AdoptedLine& line) noexcept {
  const std::uint64_t guest = header.gate_guest.load(std::memory_order_relaxed);
  if (guest == 0 || guest != number_of(line.record.resume_token)) return;
  const std::uint64_t from = header.gate_from.load(std::memory_order_relaxed);
  if (from == Gate::kNever || line.record.gate == Gate::kNever) line.record.gate = from;
}

}  // namespace

std::uint64_t number_of(const ResumeToken& token) noexcept {
  std::uint64_t number = 0;
  std::memcpy(&number, token.data(), sizeof number);
  return number;
}

std::vector<AdoptedLine> read_adopted_lines(const shm::TableHeader& header,
                                            std::span<const TableEntry> entries,
                                            std::string_view broker) {
  std::map<std::pair<SegmentKind, std::uint64_t>, AdoptedLine> found;
  for (std::uint64_t slot = 0; slot < entries.size(); ++slot) {
    const TableEntry& entry = entries[slot];
    if (!makes_sense(entry, broker)) continue;
    AdoptedLine line = to_line(entry, slot);
    finish_gate_change(header, line);
    const shm::RouteIdentity& identity = line.record.identity;
    const bool route = line.record.kind == SegmentKind::route;
    const auto key = std::pair(line.record.kind, route ? identity.subscription : identity.route_id);
    const auto known = found.find(key);
    if (known == found.end()) {
      found.emplace(key, std::move(line));
    } else if (is_newer(line.record, known->second.record)) {
      known->second = std::move(line);
    }
  }
  std::vector<AdoptedLine> lines;
  lines.reserve(found.size());
  for (auto& [key, line] : found) lines.push_back(std::move(line));
  return lines;
}

}  // namespace fairlead::broker
