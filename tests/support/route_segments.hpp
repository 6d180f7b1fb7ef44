// The two segments of a route as a broker makes them and as a guest maps them.
#pragma once

#include <cstdint>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_memory.hpp>

namespace fairlead::test {

struct GuestDescriptors {
  shm::UniqueFd route;    // read-only
  shm::UniqueFd cursors;  // read-write
};

struct RouteSegments {
  shm::SegmentMemory route;
  shm::Segment cursors;

  [[nodiscard]] GuestDescriptors for_guest();
};

struct MappedForGuest {
  shm::Segment route;
  shm::Segment cursors;
};

/// Formatted; a named route segment has lost its name already. Throws Error.
[[nodiscard]] RouteSegments make_route_segments(const shm::RouteIdentity& identity,
                                                shm::Backing backing);
[[nodiscard]] MappedForGuest map_for_guest(GuestDescriptors descriptors, std::uint64_t route_bytes);

}  // namespace fairlead::test
