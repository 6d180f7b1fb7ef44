// The first bytes of new route and cursor segments.
#include <cstring>
#include <new>

#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/route_writer.hpp>

namespace fairlead::shm {
namespace {

void format_segment(SegmentHeader& header, const SegmentHeader& stamp, SegmentKind kind) {
  header.magic = kSegmentMagic;
  header.kind = kind;
  header.layout_hash = kLayoutHash;
  header.maximum_bytes = stamp.maximum_bytes;
  header.epoch = stamp.epoch;
  header.created_realtime_nanoseconds = stamp.created_realtime_nanoseconds;
  header.broker_process = stamp.broker_process;
  header.owner_user = stamp.owner_user;
  header.broker_start_clock_ticks = stamp.broker_start_clock_ticks;
  header.broker = stamp.broker;
}

}  // namespace

void format_route(std::byte* segment, const RouteIdentity& identity, const SegmentHeader& stamp) {
  auto* route = new (segment) RouteHeader;
  std::memset(static_cast<void*>(route), 0, sizeof *route);
  format_segment(route->segment, stamp, SegmentKind::route);
  route->identity = identity;
  route->identity.arena_offset = kRouteArenaOffset;
  route->committed_bytes.store(kRouteArenaOffset, std::memory_order_relaxed);
  route->state.store(RouteState::open, std::memory_order_relaxed);
  route->segment.version.store(kLayoutVersion, std::memory_order_release);  // sync: segment-ready
}

void format_cursors(std::byte* segment, const SegmentHeader& stamp) {
  auto* cursors = reinterpret_cast<CursorHeader*>(segment);
  format_segment(cursors->segment, stamp, SegmentKind::cursor);
  new (&cursors->mutex) DrainMutex;
  cursors->segment.version.store(kLayoutVersion, std::memory_order_release);  // sync: segment-ready
}

}  // namespace fairlead::shm
