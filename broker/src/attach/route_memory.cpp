#include "attach/route_memory.hpp"

#include <algorithm>

#include <sys/socket.h>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/route_writer.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::broker {

using shm::Backing;
using shm::SealMode;
using shm::Segment;
using shm::SegmentKind;

RouteMemory::~RouteMemory() {
  if (leave_) return;
  segment_.segment().unlink();
  if (truncate_) segment_.shrink_to(shm::kRouteArenaOffset);
}

void RouteMemory::retire(bool truncate) noexcept {
  truncate_ = truncate_ || truncate;
  segment_.segment().unlink();
  wake_.reset();
}

std::uint64_t route_segment_bytes(const shm::RouteIdentity& identity) noexcept {
  const std::uint64_t cap = std::max<std::uint64_t>(identity.cap_bytes, shm::kSuperblockBytes);
  return shm::kRouteArenaOffset + cap / shm::kSuperblockBytes * shm::kSuperblockBytes;
}

NewRoute create_route(const SegmentStamp& stamp, const shm::RouteIdentity& identity,
                      Backing backing, bool wants_descriptor) {
  const std::uint64_t bytes = route_segment_bytes(identity);
  NewRoute made;
  shm::UniqueFd wake;
  if (wants_descriptor) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      throw_system("cannot make a wake-up socket");
    wake.reset(ends[0]);
    made.guest_wake.reset(ends[1]);
    // The guest can send nothing: descriptors that lie unread in here would be closed with our end,
    // and a close can wait for ever (SO_LINGER).
    if (::shutdown(wake.get(), SHUT_RD) != 0) throw_system("cannot limit a wake-up socket");
  }
  // Cursors are always sealed: whoever may write a named segment may cut it, too.
  const std::string cursors_name =
      shm::make_segment_name(stamp.broker(), stamp.epoch(), SegmentKind::cursor, identity.route_id);
  Segment cursors = Segment::create_sealed(
      cursors_name, shm::cursor_segment_bytes(identity.lane_capacity), SealMode::guest_writable);
  const std::string name =
      shm::make_segment_name(stamp.broker(), stamp.epoch(), SegmentKind::route, identity.route_id);
  Segment route = backing == Backing::sealed
                      ? Segment::create_sealed(name, bytes, SealMode::broker_written)
                      : Segment::create_named(name, bytes, shm::kRouteArenaOffset);
  try {
    made.memory =
        std::make_shared<RouteMemory>(std::move(route), std::move(cursors), std::move(wake));
  } catch (...) {
    route.unlink();
    throw;
  }
  shm::SegmentHeader header{};
  shm::Segment& segment = made.memory->segment().segment();
  stamp.fill(header, segment.size());
  shm::format_route(segment.data(), identity, header);
  stamp.fill(header, made.memory->cursors().size());
  shm::format_cursors(made.memory->cursors().data(), header);
  made.guest_segment = segment.read_only_descriptor();
  made.guest_cursors = made.memory->cursors().duplicate_descriptor();
  return made;
}

}  // namespace fairlead::broker
