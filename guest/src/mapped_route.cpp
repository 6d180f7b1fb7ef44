#include "mapped_route.hpp"

#include <fcntl.h>

#include <string>
#include <utility>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/route_remains.hpp>

namespace fairlead::guest {
namespace {

using shm::Access;
using shm::Segment;

constexpr std::uint64_t kMostSegmentBytes = std::uint64_t{64} << 30;  // a LanePosition's reach

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::corrupt, "the route that the broker offers is unusable: " + sentence);
}

void check_sizes(const SharedRoute& parts) {
  const std::uint32_t lanes = parts.lane_capacity;
  if (lanes == 0 || lanes > shm::kMaximumLanesPerRoute || lanes % shm::kLanesPerPage != 0) {
    refuse(std::to_string(lanes) + " lanes");
  }
  if (parts.cursor_segment_bytes < shm::cursor_segment_bytes(lanes) ||
      parts.cursor_segment_bytes > kMostSegmentBytes) {
    refuse("a cursor segment of " + std::to_string(parts.cursor_segment_bytes) + " bytes");
  }
  if (parts.route_segment_bytes < shm::kRouteArenaOffset ||
      parts.route_segment_bytes > kMostSegmentBytes) {
    refuse("a route segment of " + std::to_string(parts.route_segment_bytes) + " bytes");
  }
}

/// The header is broker-written and published before the descriptor is sent: it never changes.
Segment require_size(Segment segment, std::uint64_t bytes) {
  const auto& header = *reinterpret_cast<const shm::SegmentHeader*>(segment.data());
  if (header.maximum_bytes != bytes) {
    refuse("the header says " + std::to_string(header.maximum_bytes) + " bytes, the broker said " +
           std::to_string(bytes));
  }
  return segment;
}

Segment map_route(SharedRoute& parts) {
  check_sizes(parts);
  shm::OpenOptions options;
  options.kind = shm::SegmentKind::route;
  options.minimum_file_bytes = shm::kRouteArenaOffset;
  options.map_bytes = parts.route_segment_bytes;
  options.check_mode = false;
  if (parts.sealed) options.required_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
  return require_size(
      Segment::adopt_descriptor(std::move(parts.route), Access::read_only, options).value(),
      parts.route_segment_bytes);
}

Segment map_cursors(SharedRoute& parts) {
  shm::OpenOptions options;
  options.kind = shm::SegmentKind::cursor;
  options.minimum_file_bytes = parts.cursor_segment_bytes;
  options.map_bytes = parts.cursor_segment_bytes;
  options.check_mode = false;
  options.required_seals = F_SEAL_SHRINK | F_SEAL_GROW;
  return Segment::adopt_descriptor(std::move(parts.cursors), Access::read_write, options).value();
}

}  // namespace

MappedRoute::MappedRoute(SharedRoute parts, std::shared_ptr<Connection> connection,
                         std::shared_ptr<ViewPool> pool, WakeUpUse use)
    : route_(map_route(parts)),
      cursors_(map_cursors(parts)),
      wake_up_(std::move(parts.wake_up)),
      liveness_(std::move(parts.connection)),
      connection_(std::move(connection)),
      subscription_(parts.subscription),
      lane_capacity_(parts.lane_capacity),
      hold_slots_(parts.hold_slots),
      sealed_(parts.sealed),
      watched_(use == WakeUpUse::watched && wake_up_),
      reader_(route_.bytes(), cursors_.bytes(), lane_capacity_),
      pool_(std::move(pool)) {
  if (connection_) {
    mappings().begin();
  } else if (!mappings().join()) {
    throw Error(ErrorCode::not_found, "subscription " + std::to_string(subscription_) +
                                          " has ended, and none of its workers is left");
  }
}

MappedRoute::~MappedRoute() {
  if (!home_.is_here()) return;  // our parent's
  shm::control::Unsubscribe packet{};
  packet.subscription = subscription_;
  packet.unmapped = mappings().leave() ? 1 : 0;
  if (!connection_) {
    // Who subscribed left before us, and could not say this.
    if (packet.unmapped == 1) Connection::tell_over(liveness_, Kind::unsubscribe, packet);
    return;
  }
  connection_->forget_end_of(subscription_);
  if (ended_ && packet.unmapped == 0) return;
  connection_->tell(Kind::unsubscribe, packet);
}

void MappedRoute::add_pushes(std::vector<shm::PushMark>& pushes) const {
  shm::RouteRemains(route_.bytes(), lane_capacity_).add_pushes(pushes);
}

MappingCount MappedRoute::mappings() noexcept {
  return MappingCount(reinterpret_cast<shm::CursorHeader*>(cursors_.data())->mappings);
}

SharedRoute MappedRoute::share() const {
  const auto duplicate = [](int descriptor) {
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw_system("cannot share the route");
    return shm::UniqueFd(copy);
  };
  SharedRoute parts;
  parts.route = duplicate(route_.descriptor());
  parts.cursors = duplicate(cursors_.descriptor());
  if (wake_up() >= 0) parts.wake_up = duplicate(wake_up_.get());
  parts.connection = duplicate(connection_ ? connection_->descriptor() : liveness_.get());
  parts.route_segment_bytes = route_.size();
  parts.cursor_segment_bytes = cursors_.size();
  parts.subscription = subscription_;
  parts.lane_capacity = lane_capacity_;
  parts.hold_slots = hold_slots_;
  parts.sealed = sealed_;
  return parts;
}

}  // namespace fairlead::guest
