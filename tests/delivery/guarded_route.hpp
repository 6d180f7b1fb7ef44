// One route over memory that faults where nothing was granted, without a Delivery.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <fairlead/shm/layout/cursor_layout.hpp>

#include "delivery/route.hpp"
#include "support/guarded_memory.hpp"
#include "support/guest_end.hpp"
#include "support/route_driver.hpp"

namespace fairlead::test {

class GuardedRoute {
 public:
  explicit GuardedRoute(const shm::RouteIdentity& identity)
      : segment_(route_segment_bytes(identity)),
        cursors_(shm::cursor_segment_bytes(identity.lane_capacity)),
        guest_({segment_.data(), segment_.maximum_bytes()},
               {cursors_.data(), cursors_.maximum_bytes()}, identity.lane_capacity) {
    (void)segment_.grow_to(shm::kRouteArenaOffset);
    (void)cursors_.grow_to(cursors_.maximum_bytes());
    format_ends(segment_.data(), cursors_.data(), identity);
    route_ = std::make_unique<broker::Route>(segment_, cursors_.data(),
                                             std::make_shared<broker::Gate>(true), -1);
  }

  broker::PushOutcome push(std::string_view principal, std::string_view payload,
                           std::string_view topic = "t") {
    ++sequence_;
    const broker::PushOutcome outcome =
        route_->push(principal, {sequence_, sequence_, 0, sequence_}, topic,
                     std::as_bytes(std::span(payload.data(), payload.size())));
    route_->move_doorbell();
    std::atomic_thread_fence(std::memory_order_seq_cst);
    route_->settle();
    return outcome;
  }
  broker::PushOutcome push_bytes(std::string_view principal, std::uint64_t bytes) {
    return push(principal, std::string(bytes - 1, 'x'));
  }

  [[nodiscard]] broker::Route& route() noexcept { return *route_; }
  [[nodiscard]] LocalGuestEnd& guest() noexcept { return guest_; }
  [[nodiscard]] GuardedMemory& memory() noexcept { return segment_; }
  [[nodiscard]] shm::CursorHeader& cursors() noexcept {
    return *reinterpret_cast<shm::CursorHeader*>(cursors_.data());
  }
  [[nodiscard]] shm::LaneCursor* lane_cursors() noexcept {
    return reinterpret_cast<shm::LaneCursor*>(cursors_.data() + shm::kCursorLanesOffset);
  }
  [[nodiscard]] std::span<std::byte> cursor_bytes() noexcept {
    return {cursors_.data(), cursors_.maximum_bytes()};
  }
  [[nodiscard]] const shm::RouteCounters& counters() noexcept { return route_->header().counters; }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }

 private:
  GuardedMemory segment_;
  GuardedMemory cursors_;
  LocalGuestEnd guest_;
  std::unique_ptr<broker::Route> route_;
  std::uint64_t sequence_ = 0;
};

}  // namespace fairlead::test
