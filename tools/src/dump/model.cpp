#include "dump/model.hpp"

#include <algorithm>

namespace fairlead::tools::dump {
namespace {

bool sum_fails(const SegmentDump& segment) noexcept {
  const RouteDump* route = segment.route();
  return route != nullptr && route->messages.known &&
         !(route->messages.holds && route->bytes.holds);
}

bool is_problem(const SegmentDump& segment) noexcept {
  // What only a live broker could show is no problem of the segment.
  if (segment.verdict == Verdict::unavailable) return false;
  return segment.verdict != Verdict::ok || sum_fails(segment);
}

std::size_t problems_of(const BrokerDump& broker) noexcept {
  const bool table = broker.table_segment && is_problem(*broker.table_segment);
  return (table ? 1U : 0U) + static_cast<std::size_t>(std::count_if(
                                 broker.segments.begin(), broker.segments.end(), is_problem));
}

}  // namespace

bool BrokerDump::is_drained_first(const SegmentDump& segment) const noexcept {
  const RouteDump* route = segment.route();
  if (!table || route == nullptr || segment.epoch >= epoch) return false;
  return std::any_of(table->entries.begin(), table->entries.end(), [&](const EntryDump& entry) {
    return entry.kind == shm::SegmentKind::route && entry.epoch > segment.epoch &&
           entry.identity.subscription == route->identity.subscription;
  });
}

std::size_t MachineDump::problems() const noexcept {
  std::size_t sum = strays.size();
  for (const BrokerDump& broker : brokers) sum += problems_of(broker);
  return sum;
}

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::torn:
      return "torn";
    case Verdict::not_ready:
      return "not-ready";
    case Verdict::truncated:
      return "truncated";
    case Verdict::corrupt:
      return "corrupt";
    case Verdict::foreign:
      return "foreign";
    case Verdict::squatted:
      return "squatted";
    case Verdict::unreadable:
      return "unreadable";
    case Verdict::missing:
      return "missing";
    case Verdict::unavailable:
      return "unavailable";
  }
  return "unknown";
}

std::string_view to_string(Consistency consistency) noexcept {
  switch (consistency) {
    case Consistency::whole:
      return "whole";
    case Consistency::by_part:
      return "by-part";
    case Consistency::mixed:
      return "mixed";
  }
  return "unknown";
}

std::string_view to_string(BrokerState state) noexcept {
  switch (state) {
    case BrokerState::running:
      return "running";
    case BrokerState::stopped:
      return "stopped";
    case BrokerState::handed_over:
      return "handed-over";
    case BrokerState::dead:
      return "dead";
    case BrokerState::unknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace fairlead::tools::dump
