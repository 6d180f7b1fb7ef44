// The two segments of a route, and what a guest gets of them.
#pragma once

#include <cstdint>
#include <memory>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_memory.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "attach/segment_stamp.hpp"

namespace fairlead::broker {

// Shared by the route and by loans that fill a piece of it: the last one unmaps.
class RouteMemory {
 public:
  RouteMemory(shm::Segment route, shm::Segment cursors, shm::UniqueFd wake) noexcept
      : segment_(std::move(route)), cursors_(std::move(cursors)), wake_(std::move(wake)) {}
  ~RouteMemory();
  RouteMemory(const RouteMemory&) = delete;
  RouteMemory& operator=(const RouteMemory&) = delete;

  [[nodiscard]] shm::SegmentMemory& segment() noexcept { return segment_; }
  [[nodiscard]] shm::Segment& cursors() noexcept { return cursors_; }
  [[nodiscard]] int wake_descriptor() const noexcept { return wake_.get(); }

  /// Of a route that has ended: removes the name and the wake-up socket now. With `truncate`, now
  /// or later, a named segment's memory is taken from a guest that may still map it, too, once
  /// nobody here uses it; reading there is SIGBUS then. The header stays.
  void retire(bool truncate) noexcept;
  /// The name stays, for the next broker.
  void leave() noexcept { leave_ = true; }

 private:
  shm::SegmentMemory segment_;
  shm::Segment cursors_;
  shm::UniqueFd wake_;
  bool truncate_ = false;
  bool leave_ = false;
};

struct NewRoute {
  std::shared_ptr<RouteMemory> memory;
  shm::UniqueFd guest_segment;  // cannot be mapped writable
  shm::UniqueFd guest_cursors;
  shm::UniqueFd guest_wake;  // invalid unless asked for
};

/// Size of the route segment for an identity's cap.
[[nodiscard]] std::uint64_t route_segment_bytes(const shm::RouteIdentity& identity) noexcept;

/// Makes and formats the segments of a route. Throws Error; nothing stays behind then.
[[nodiscard]] NewRoute create_route(const SegmentStamp& stamp, const shm::RouteIdentity& identity,
                                    shm::Backing backing, bool wants_descriptor);

}  // namespace fairlead::broker
