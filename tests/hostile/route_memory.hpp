// The memory of one route, of which nothing can be touched that was not granted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/route_reader.hpp>
#include <fairlead/shm/route_writer.hpp>

#include "choices.hpp"
#include "support/guarded_memory.hpp"

namespace fairlead::hostile {

/// Something does not hold that no guest may break.
class Broken final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
inline void require(bool holds, const char* what) {
  if (!holds) throw Broken(what);
}

/// Loads of one pass over the words that pin memory.
inline constexpr std::uint64_t kReclaimLoads = shm::kTicketSlots + shm::kHoldSlots;

struct RouteSettings {
  shm::EvictionPolicy policy = shm::EvictionPolicy::oldest_head;
  std::uint64_t budget = 2'500;
  std::uint64_t cap = 192 * 1024;
  std::uint32_t lanes = 128;
};

class RouteMemory {
 public:
  explicit RouteMemory(const RouteSettings& settings)
      : settings_(settings),
        segment_(shm::kRouteArenaOffset + settings.cap),
        cursors_(shm::cursor_segment_bytes(settings.lanes) + kGuard) {
    shm::RouteIdentity identity{};
    identity.subscription = 1;
    identity.eviction = settings.policy;
    identity.admission = shm::AdmissionKind::all;
    identity.budget_bytes = settings.budget;
    identity.cap_bytes = settings.cap;
    identity.lane_capacity = settings.lanes;
    identity.pattern.assign("*");
    (void)segment_.grow_to(shm::kRouteArenaOffset);
    (void)cursors_.grow_to(cursor_bytes().size());
    shm::format_route(segment_.data(), identity, {});
    shm::format_cursors(cursors_.data(), {});
  }

  [[nodiscard]] const RouteSettings& settings() const noexcept { return settings_; }
  [[nodiscard]] test::GuardedMemory& segment() noexcept { return segment_; }
  [[nodiscard]] std::span<std::byte> cursor_bytes() noexcept {
    return {cursors_.data(), shm::cursor_segment_bytes(settings_.lanes)};
  }
  [[nodiscard]] shm::CursorHeader& cursors() noexcept {
    return *reinterpret_cast<shm::CursorHeader*>(cursors_.data());
  }
  [[nodiscard]] shm::LaneCursor& cursor(shm::Lane lane) noexcept {
    return reinterpret_cast<shm::LaneCursor*>(cursors_.data() + shm::kCursorLanesOffset)[lane];
  }
  [[nodiscard]] const shm::RouteCounters& counters() noexcept {
    return reinterpret_cast<const shm::RouteHeader*>(segment_.data())->counters;
  }
  [[nodiscard]] shm::RouteReader reader() noexcept {
    return {{segment_.data(), segment_.maximum_bytes()}, cursor_bytes(), settings_.lanes};
  }

  /// What holds of every route, whatever its guest does.
  void check() {
    const shm::RouteCounters& sums = counters();
    require(sums.published == sums.delivered + sums.queued + sums.evicted, "a sum is wrong");
    require(sums.published_bytes == sums.delivered_bytes + sums.queued_bytes + sums.evicted_bytes,
            "a sum of bytes is wrong");
    require(sums.queued_bytes <= settings_.budget, "more is queued than the budget");
    require(sums.arena_used_bytes <= settings_.cap, "more is used than the cap");
    require(sums.held_messages <= sums.delivered, "more is held than was delivered");
    require(segment_.granted() <= shm::kRouteArenaOffset + settings_.cap, "grown beyond the cap");
  }

  /// Where in the cursors a word is of which most values poison the route: a lane's head.
  [[nodiscard]] static std::optional<shm::Lane> head_at(std::size_t offset) noexcept {
    if (offset < shm::kCursorLanesOffset) return std::nullopt;
    const std::size_t place = offset - shm::kCursorLanesOffset;
    if (place % sizeof(shm::LaneCursor) >= sizeof(std::uint64_t)) return std::nullopt;
    return static_cast<shm::Lane>(place / sizeof(shm::LaneCursor));
  }
  /// A head that an honest guest could have written, which took something in one of so many looks.
  [[nodiscard]] static std::uint64_t plausible_head(const shm::RouteWriter& writer, shm::Lane lane,
                                                    Choices& choices, std::uint64_t takes_one_in) {
    if (!writer.in_use(lane)) return 0;
    if (!choices.one_in(takes_one_in)) return writer.head(lane);
    return writer.head(lane) + choices.below(writer.depth(lane) + 1);
  }

 private:
  static constexpr std::uint64_t kGuard = 1024 * 1024;

  RouteSettings settings_;
  test::GuardedMemory segment_;
  test::GuardedMemory cursors_;
};

}  // namespace fairlead::hostile
