// Policy `oldest-head` (R17): the lane whose head was published earliest gives it up.
#pragma once

#include <cstdint>
#include <optional>

#include <fairlead/shm/ring_queue.hpp>

#include "delivery/eviction.hpp"

namespace fairlead::broker {

// A private queue of (lane, record count) in publish order. Entries whose record is gone (taken or
// evicted) are skipped when they come to the front, and swept out when they are more than the live
// ones, so that a guest that never takes one lane's head cannot make the queue grow: O(1) amortised
// and memory bounded by the messages in the route (R20).
class OldestHead final : public Eviction {
 public:
  explicit OldestHead(const shm::RouteWriter& writer) noexcept : writer_(writer) {}

  void prepare(shm::Lane lane) override;
  void appended(shm::Lane lane, std::uint64_t count, std::uint64_t sequence) noexcept override;
  void changed(shm::Lane) noexcept override {}
  [[nodiscard]] std::optional<shm::Lane> victim(const Arrival& arrival) noexcept override;

  // For tests: entries that are stored, live or not, and entries that were ever looked at.
  [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

 private:
  struct Entry {
    std::uint64_t sequence;
    std::uint32_t lane;
    std::uint32_t count_low;
  };

  [[nodiscard]] bool gone(const Entry& entry) const noexcept;
  void sweep() noexcept;

  const shm::RouteWriter& writer_;
  shm::RingQueue<Entry> queue_;
  std::uint64_t steps_ = 0;
};

}  // namespace fairlead::broker
