#include "dump/route_reader.hpp"

#include <algorithm>
#include <memory>

#include "dump/header_reader.hpp"
#include "dump/lane_reader.hpp"
#include "dump/route_identity.hpp"

namespace fairlead::tools::dump {
namespace {

using shm::RouteHeader;

using HeaderImage = Image<RouteHeader>;

constexpr std::uint64_t kCounter = offsetof(RouteHeader, snapshot);

SumDump sum_of(std::uint64_t published, std::uint64_t delivered, std::uint64_t queued,
               std::uint64_t evicted, bool known) noexcept {
  SumDump sum{published, delivered, queued, evicted, known, false};
  std::uint64_t total = 0;
  const bool overflow = __builtin_add_overflow(delivered, queued, &total) ||
                        __builtin_add_overflow(total, evicted, &total);
  sum.holds = known && !overflow && total == published;
  return sum;
}

// All of it at one moment if the writer lets us, else totals and pages each at one of their own.
Consistency read_all(const SegmentBytes& bytes, const Patience& patience, HeaderImage& header,
                     LanePages& pages) {
  // Copying many pages takes longer than a busy broker holds still: a few attempts tell.
  Patience few = patience;
  few.attempts = std::min(patience.attempts, 16);
  // sync: route-snapshot
  const Snapshot whole = read_snapshot(bytes, kCounter, few, [&] {
    if (!header.read(bytes, 0)) return false;
    return pages.read_all(bytes, *header);
  });
  if (whole == Snapshot::consistent) return Consistency::whole;
  if (whole == Snapshot::torn) return Consistency::mixed;
  const Snapshot totals =
      read_snapshot(bytes, kCounter, patience, [&] { return header.read(bytes, 0); });
  bool consistent = totals == Snapshot::consistent;
  pages.locate(*header);
  for (std::size_t found = 0; found < pages.size(); ++found) {
    const Snapshot part =
        read_snapshot(bytes, kCounter, patience, [&] { return pages.read(bytes, found); });
    // A page that is not there to be read is collect()'s to complain of.
    consistent = consistent && (part == Snapshot::consistent || part == Snapshot::unreadable);
  }
  return consistent ? Consistency::by_part : Consistency::mixed;
}

void fill_totals(const RouteHeader& header, bool known, RouteDump& route) {
  const shm::RouteCounters& counters = header.counters;
  route.messages = sum_of(word(counters.published), word(counters.delivered), word(counters.queued),
                          word(counters.evicted), known);
  route.bytes = sum_of(word(counters.published_bytes), word(counters.delivered_bytes),
                       word(counters.queued_bytes), word(counters.evicted_bytes), known);
  route.refused = word(counters.refused);
  for (std::size_t reason = 0; reason < route.refused_by_reason.size(); ++reason) {
    route.refused_by_reason[reason] = word(counters.refused_by_reason[reason]);
  }
  route.held_messages = word(counters.held_messages);
  route.held_bytes = word(counters.arena_retired_bytes);
  route.duplicates_dropped = word(counters.duplicates_dropped);
  route.queued_high_water = word(counters.queued_high_water);
  route.queued_bytes_high_water = word(counters.queued_bytes_high_water);
  route.active_lanes = word(counters.active_lanes);
  route.active_lanes_high_water = word(counters.active_lanes_high_water);
  route.uncovered_visits = word(counters.uncovered_visits);
  route.wakes = word(counters.wakes);
  route.ended_lost_messages = word(header.loss.messages);
  route.ended_lost_bytes = word(header.loss.bytes);
  route.ended_last_sequence = word(header.loss.last_sequence);
  route.ended_reason = word(header.loss.reason);
}

void fill_memory(const RouteHeader& header, RouteDump& route) {
  route.committed_bytes = word(header.committed_bytes);
  route.used_bytes = word(header.counters.arena_used_bytes);
  const std::uint64_t cap =
      std::max<std::uint64_t>(route.identity.cap_bytes, shm::kSuperblockBytes);
  route.arena_bytes = cap / shm::kSuperblockBytes * shm::kSuperblockBytes;
  route.free_bytes = route.arena_bytes - std::min(route.arena_bytes, route.used_bytes);
}

// The writer takes bytes off `committed_bytes` before it cuts the file, and the other way round
// when it grows: a file that is shorter, with the word unchanged, was cut by somebody else.
void check_length(const SegmentBytes& bytes, const RouteDump& route, SegmentDump& segment) {
  std::uint64_t committed = route.committed_bytes;
  std::uint64_t size = 0;
  for (int round = 0; round < 8; ++round) {
    size = bytes.size();
    if (size >= committed) return;
    std::uint64_t again = 0;
    if (!bytes.read(offsetof(RouteHeader, committed_bytes), &again, sizeof again)) break;
    if (again == committed) break;
    committed = again;
  }
  blame(segment, Verdict::truncated,
        "it was cut to " + std::to_string(size) + " bytes, its broker allocated " +
            std::to_string(committed));
}

void check_totals(const RouteDump& route, SegmentDump& segment) {
  if (route.state < shm::RouteState::open || route.state > shm::RouteState::filling) {
    blame(segment, Verdict::corrupt,
          "its state is " + std::to_string(static_cast<std::uint32_t>(route.state)));
  }
  if (route.consistency != Consistency::whole || segment.verdict != Verdict::ok) return;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  for (const LaneDump& lane : route.lanes) {
    messages += lane.depth;
    bytes += lane.queued_bytes;
  }
  if (route.lanes.size() != route.active_lanes || messages != route.messages.queued ||
      bytes != route.bytes.queued) {
    blame(segment, Verdict::corrupt,
          "its " + std::to_string(route.lanes.size()) + " lanes hold " + std::to_string(messages) +
              " messages (" + std::to_string(bytes) + " bytes), its totals say " +
              std::to_string(route.active_lanes) + " lanes and " +
              std::to_string(route.messages.queued) + " messages (" +
              std::to_string(route.bytes.queued) + " bytes)");
  }
}

}  // namespace

void read_route(const SegmentBytes& bytes, const ReadContext& context, SegmentDump& segment) {
  const auto header = std::make_unique<HeaderImage>();
  if (!header->read(bytes, 0)) {
    blame(segment, Verdict::truncated,
          "it was cut to " + std::to_string(bytes.size()) + " bytes, too few for a route");
    return;
  }
  if (!check_identity((*header)->identity, segment)) return;
  LanePages pages((*header)->identity.lane_capacity);
  const Consistency consistency = read_all(bytes, context.patience, *header, pages);

  RouteDump route;
  route.identity = (*header)->identity;
  route.state = word((*header)->state);
  route.poison_reason = word((*header)->poison_reason);
  route.consistency = consistency;
  fill_totals(**header, consistency != Consistency::mixed, route);
  fill_memory(**header, route);
  check_length(bytes, route, segment);
  const bool torn = consistency == Consistency::mixed && !segment_is_cut(segment);
  if (torn) {
    blame(segment, Verdict::torn,
          context.patience.writer_lives
              ? "its broker never held still, or is stopped in the middle of a change: numbers may "
                "not add up"
              : "its broker died in the middle of a change: numbers may not add up");
  }
  pages.collect(bytes, context, consistency, route, segment);
  check_totals(route, segment);
  segment.content = std::move(route);
}

}  // namespace fairlead::tools::dump
