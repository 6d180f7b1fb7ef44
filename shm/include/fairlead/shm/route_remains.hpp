// What a route segment holds whose broker is dead: the next broker copies from it what no guest
// ever saw, and both find out what was pushed before (R34). It reads the segment alone, never the
// cursors, and takes whatever state a broker that was killed at any store leaves behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <fairlead/shm/found_record.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/route_reader.hpp>

namespace fairlead::shm {

// A message that is queued, with the loss right before it in its lane (R29). The views lie in the
// segment.
struct RemainingMessage {
  RecordHeader record;
  std::string_view principal;
  std::string_view topic;
  std::span<const std::byte> payload;
  std::uint64_t lost_messages = 0;
  std::uint64_t lost_bytes = 0;
};

// A view; the mapping outlives it. Every offset is checked, so a segment that makes no sense is
// harmless. Not thread-safe; the calls may throw std::bad_alloc.
class RouteRemains {
 public:
  // `readable`: bytes that may be touched, beside what the header says. `lane_capacity` as known
  // from elsewhere.
  RouteRemains(std::span<const std::byte> readable, std::uint32_t lane_capacity) noexcept;

  // Adds what guests had pushed and is in the route, or was: the newest of each lane, and what was
  // carried over from earlier epochs. One outbox may come more than once.
  void add_pushes(std::vector<PushMark>& pushes) const;

  // Of a route that nobody drained: all that is queued, in order of sequence.
  [[nodiscard]] std::vector<RemainingMessage> messages() const;
  // Of such a route, likewise: losses that no message in messages() tells.
  [[nodiscard]] RouteReader::EndedLoss ended_loss() const;

  // Cost of all that was ever appended to a lane in use; nothing if its newest record is gone.
  [[nodiscard]] std::optional<std::uint64_t> cost_up_to_tail(std::uint32_t lane) const noexcept;
  // Whether the loss of that lane is in the aggregate already: its broker died while it ended it.
  [[nodiscard]] bool counted_as_ended(std::uint32_t lane, std::uint32_t generation) const noexcept;

  [[nodiscard]] const RouteHeader* header() const noexcept { return route_; }

 private:
  [[nodiscard]] const LanePage* page(std::uint32_t number) const noexcept;
  template <class Visit>
  void for_each_lane(Visit&& visit) const;
  void add_messages(std::uint32_t lane, const LaneHead& head, const LaneStatistics& statistics,
                    std::vector<RemainingMessage>& out) const;
  [[nodiscard]] std::optional<FoundRecord> find(std::uint64_t offset, std::uint32_t lane,
                                                std::uint64_t count) const noexcept;

  const RouteHeader* route_ = nullptr;  // none: not a route segment
  const std::byte* base_;
  std::uint64_t limit_ = 0;
  std::uint32_t capacity_;
};

}  // namespace fairlead::shm
