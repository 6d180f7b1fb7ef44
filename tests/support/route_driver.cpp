#include "support/route_driver.hpp"

#include <algorithm>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/route_writer.hpp>
#include <fairlead/shm/segment_memory.hpp>

#include "support/heap_memory.hpp"
#include "support/process_driver.hpp"
#include "support/route_segments.hpp"

namespace fairlead::test {
namespace {

class HeapEnds final : public RouteEnds {
 public:
  explicit HeapEnds(const shm::RouteIdentity& identity)
      : segment_(route_segment_bytes(identity)),
        cursors_(shm::cursor_segment_bytes(identity.lane_capacity)),
        guest_({segment_.data(), segment_.maximum_bytes()},
               {cursors_.data(), cursors_.maximum_bytes()}, identity.lane_capacity) {
    (void)segment_.grow_to(shm::kRouteArenaOffset);
    format_ends(segment_.data(), cursors_.data(), identity);
  }
  shm::GrowableMemory& segment() noexcept override { return segment_; }
  std::byte* cursors() noexcept override { return cursors_.data(); }
  GuestEnd& guest() noexcept override { return guest_; }

 private:
  tests::HeapMemory segment_;
  tests::HeapMemory cursors_;
  LocalGuestEnd guest_;
};

class SegmentEnds final : public RouteEnds {
 public:
  SegmentEnds(const shm::RouteIdentity& identity, bool second_mapping)
      : broker_(make_route_segments(identity,
                                    second_mapping ? shm::Backing::named : shm::Backing::sealed)) {
    std::span<const std::byte> route = broker_.route.segment().bytes();
    std::span<std::byte> cursors = broker_.cursors.bytes();
    if (second_mapping) {
      mapped_ = map_for_guest(broker_.for_guest(), route.size());
      route = mapped_.route.bytes();
      cursors = mapped_.cursors.bytes();
    }
    guest_ = std::make_unique<LocalGuestEnd>(route, cursors, identity.lane_capacity);
  }
  shm::GrowableMemory& segment() noexcept override { return broker_.route; }
  std::byte* cursors() noexcept override { return broker_.cursors.data(); }
  GuestEnd& guest() noexcept override { return *guest_; }

 private:
  RouteSegments broker_;
  MappedForGuest mapped_;
  std::unique_ptr<LocalGuestEnd> guest_;
};

class LocalDriver final : public RouteDriver {
 public:
  explicit LocalDriver(DriverKind kind) : kind_(kind) {}
  std::unique_ptr<RouteEnds> attach(const shm::RouteIdentity& identity) override {
    if (kind_ == DriverKind::heap) return std::make_unique<HeapEnds>(identity);
    return std::make_unique<SegmentEnds>(identity, kind_ == DriverKind::two_mappings);
  }

 private:
  DriverKind kind_;
};

}  // namespace

const char* to_string(DriverKind kind) noexcept {
  switch (kind) {
    case DriverKind::heap:
      return "heap";
    case DriverKind::one_mapping:
      return "one_mapping";
    case DriverKind::two_mappings:
      return "two_mappings";
    case DriverKind::two_processes:
      return "two_processes";
  }
  return "?";
}

std::unique_ptr<RouteDriver> make_driver(DriverKind kind) {
  if (kind == DriverKind::two_processes) return make_process_driver();
  return std::make_unique<LocalDriver>(kind);
}

shm::RouteIdentity identity_of(const std::string& pattern, std::uint64_t budget_bytes,
                               std::uint64_t cap_bytes, std::uint32_t lane_capacity) {
  shm::RouteIdentity identity{};
  identity.subscription = 1;
  identity.route_id = 1;
  identity.eviction = shm::EvictionPolicy::oldest_head;
  identity.admission = shm::AdmissionKind::all;
  identity.boundary = shm::Boundary::cooperative;
  identity.budget_bytes = budget_bytes;
  identity.cap_bytes = cap_bytes;
  identity.lane_capacity = lane_capacity;
  identity.pattern.assign(pattern);
  return identity;
}

std::uint64_t route_segment_bytes(const shm::RouteIdentity& identity) noexcept {
  const std::uint64_t superblocks =
      (identity.cap_bytes + shm::kSuperblockBytes - 1) / shm::kSuperblockBytes;
  return shm::kRouteArenaOffset + std::max<std::uint64_t>(superblocks, 1) * shm::kSuperblockBytes;
}

void format_ends(std::byte* route, std::byte* cursors, const shm::RouteIdentity& identity) {
  shm::SegmentHeader stamp{};
  stamp.maximum_bytes = route_segment_bytes(identity);
  stamp.epoch = 1;
  stamp.broker.assign("test");
  shm::format_route(route, identity, stamp);
  stamp.maximum_bytes = shm::cursor_segment_bytes(identity.lane_capacity);
  shm::format_cursors(cursors, stamp);
}

}  // namespace fairlead::test
