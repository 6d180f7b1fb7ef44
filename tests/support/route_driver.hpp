// One test body, four ways for broker and guest to share a route's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <string>

#include <fairlead/shm/growable_memory.hpp>
#include <fairlead/shm/layout/route_layout.hpp>

#include "support/guest_end.hpp"

namespace fairlead::test {

enum class DriverKind : std::uint8_t {
  heap,           // no segment at all
  one_mapping,    // sealed memfds; both ends use the one mapping
  two_mappings,   // a named segment that grows and shrinks, mapped read-only for the guest's end
  two_processes,  // the same, the guest's end in a child
};
inline constexpr DriverKind kDrivers[] = {DriverKind::heap, DriverKind::one_mapping,
                                          DriverKind::two_mappings, DriverKind::two_processes};

[[nodiscard]] const char* to_string(DriverKind kind) noexcept;
inline void PrintTo(DriverKind kind, std::ostream* out) { *out << to_string(kind); }

/// The memory of one route, formatted, and its guest's end. What it made is gone with it.
class RouteEnds {
 public:
  virtual ~RouteEnds() = default;
  [[nodiscard]] virtual shm::GrowableMemory& segment() noexcept = 0;
  [[nodiscard]] virtual std::byte* cursors() noexcept = 0;
  [[nodiscard]] virtual GuestEnd& guest() noexcept = 0;

  [[nodiscard]] shm::RouteHeader& header() noexcept {
    return *reinterpret_cast<shm::RouteHeader*>(segment().data());
  }
  [[nodiscard]] shm::CursorHeader& cursor_header() noexcept {
    return *reinterpret_cast<shm::CursorHeader*>(cursors());
  }
};

/// Outlives what it attached. Throws Error, or std::runtime_error when its child is gone.
class RouteDriver {
 public:
  virtual ~RouteDriver() = default;
  /// `identity.cap_bytes` and `lane_capacity` size the memory.
  virtual std::unique_ptr<RouteEnds> attach(const shm::RouteIdentity& identity) = 0;
};

[[nodiscard]] std::unique_ptr<RouteDriver> make_driver(DriverKind kind);

/// For tests that only need a route: a valid identity with policy oldest-head.
[[nodiscard]] shm::RouteIdentity identity_of(const std::string& pattern, std::uint64_t budget_bytes,
                                             std::uint64_t cap_bytes, std::uint32_t lane_capacity);
/// Bytes of the mapping that `identity` needs.
[[nodiscard]] std::uint64_t route_segment_bytes(const shm::RouteIdentity& identity) noexcept;
/// Writes both headers. The memory is zero-filled and its first kRouteArenaOffset bytes exist.
void format_ends(std::byte* route, std::byte* cursors, const shm::RouteIdentity& identity);

}  // namespace fairlead::test
