// A RouteWriter and a guest's end over guarded memory: the mechanism without the policy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fairlead/shm/route_writer.hpp>

#include "support/guarded_memory.hpp"
#include "support/guest_end.hpp"
#include "support/route_driver.hpp"

namespace fairlead::test {

class WriterBench {
 public:
  explicit WriterBench(std::uint64_t cap_bytes = 16 * 1024 * 1024, std::uint32_t lanes = 8'192)
      : identity_(identity_of("*", cap_bytes, cap_bytes, lanes)),
        segment_(route_segment_bytes(identity_)),
        cursors_(shm::cursor_segment_bytes(lanes)),
        formatted_(format()),
        writer_(segment_, cursors_.data()),
        guest_({segment_.data(), segment_.maximum_bytes()},
               {cursors_.data(), cursors_.maximum_bytes()}, lanes) {}

  /// True when there was room.
  bool append(shm::Lane lane, std::string_view payload, std::string_view topic = "t") {
    ++sequence_;
    const bool appended =
        writer_.append(lane, {sequence_, sequence_, 0, sequence_}, topic,
                       std::as_bytes(std::span(payload.data(), payload.size()))) ==
        shm::RouteWriter::Append::ok;
    settle();
    return appended;
  }
  void settle() {
    writer_.move_doorbell();
    std::atomic_thread_fence(std::memory_order_seq_cst);
    bool armed = false;
    (void)writer_.settle(armed);
  }
  std::vector<TakenMessage> take(std::uint64_t most = ~std::uint64_t{0}) {
    DrainResult result = guest_.drain(~std::uint64_t{0}, most);
    if (result.outcome == shm::RouteReader::Outcome::ok) guest_.release(result.batch);
    return std::move(result.messages);
  }

  [[nodiscard]] shm::RouteWriter& writer() noexcept { return writer_; }
  [[nodiscard]] LocalGuestEnd& guest() noexcept { return guest_; }
  [[nodiscard]] GuardedMemory& memory() noexcept { return segment_; }
  [[nodiscard]] shm::RouteHeader& header() noexcept { return writer_.header(); }
  [[nodiscard]] shm::CursorHeader& cursors() noexcept {
    return *reinterpret_cast<shm::CursorHeader*>(cursors_.data());
  }
  [[nodiscard]] shm::LaneCursor& cursor(shm::Lane lane) noexcept {
    return reinterpret_cast<shm::LaneCursor*>(cursors_.data() + shm::kCursorLanesOffset)[lane];
  }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }

 private:
  bool format() {
    (void)segment_.grow_to(shm::kRouteArenaOffset);
    (void)cursors_.grow_to(cursors_.maximum_bytes());
    format_ends(segment_.data(), cursors_.data(), identity_);
    return true;
  }

  shm::RouteIdentity identity_;
  GuardedMemory segment_;
  GuardedMemory cursors_;
  bool formatted_;
  shm::RouteWriter writer_;
  LocalGuestEnd guest_;
  std::uint64_t sequence_ = 0;
};

}  // namespace fairlead::test
