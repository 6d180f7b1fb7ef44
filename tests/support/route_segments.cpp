#include "support/route_segments.hpp"

#include <unistd.h>

#include <utility>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/route_driver.hpp"

namespace fairlead::test {
namespace {

shm::Segment make_route(const shm::RouteIdentity& identity, shm::Backing backing) {
  const std::uint64_t bytes = route_segment_bytes(identity);
  if (backing == shm::Backing::sealed)
    return shm::Segment::create_sealed("route", bytes, shm::SealMode::broker_written);
  const std::string name = shm::make_segment_name("test", static_cast<std::uint64_t>(::getpid()),
                                                  shm::SegmentKind::route, 1);
  shm::Segment segment = shm::Segment::create_named(name, bytes, shm::kRouteArenaOffset);
  segment.unlink();
  return segment;
}

shm::Segment adopt(shm::UniqueFd descriptor, shm::Access access, shm::SegmentKind kind,
                   std::uint64_t bytes) {
  shm::OpenOptions options;
  options.kind = kind;
  options.map_bytes = bytes;
  return shm::Segment::adopt_descriptor(std::move(descriptor), access, options).value();
}

}  // namespace

GuestDescriptors RouteSegments::for_guest() {
  return {route.segment().read_only_descriptor(), cursors.duplicate_descriptor()};
}

RouteSegments make_route_segments(const shm::RouteIdentity& identity, shm::Backing backing) {
  shm::Segment route = make_route(identity, backing);
  shm::Segment cursors = shm::Segment::create_sealed(
      "cursors", shm::cursor_segment_bytes(identity.lane_capacity), shm::SealMode::guest_writable);
  format_ends(route.data(), cursors.data(), identity);
  return {shm::SegmentMemory(std::move(route)), std::move(cursors)};
}

MappedForGuest map_for_guest(GuestDescriptors descriptors, std::uint64_t route_bytes) {
  return {
      adopt(std::move(descriptors.route), shm::Access::read_only, shm::SegmentKind::route,
            route_bytes),
      adopt(std::move(descriptors.cursors), shm::Access::read_write, shm::SegmentKind::cursor, 0)};
}

}  // namespace fairlead::test
