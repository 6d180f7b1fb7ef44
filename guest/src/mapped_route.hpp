// Both mappings of a route and what goes with them, shared by a subscription, its batches and its
// kept messages.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <fairlead/guest/batch.hpp>
#include <fairlead/guest/shared_route.hpp>
#include <fairlead/guest/subscription.hpp>
#include <fairlead/shm/doorbell_condition.hpp>
#include <fairlead/shm/route_reader.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "connection.hpp"
#include "mapping_count.hpp"
#include "view_pool.hpp"

namespace fairlead::guest {

/// What the broker's wake-up socket is for, if there is one.
enum class WakeUpUse : std::uint8_t {
  polled,   // by the user: see drain()
  watched,  // by a thread that waits long, beside the connection
};

/// One life of a route: what one broker made of it. Thread-safe. Its end ends the route (without
/// waiting for an answer) in the process that subscribed, and lets the broker have the memory if no
/// other worker maps it; unless that broker is gone.
class MappedRoute : public std::enable_shared_from_this<MappedRoute> {
 public:
  /// Checks sizes, seals and headers, then maps. `connection` is null in a worker process. Throws
  /// Error: corrupt, truncated, wrong_layout, foreign_segment, out_of_memory, and not_found in a
  /// worker that comes when all others have gone. All lives of a route have one pool.
  MappedRoute(SharedRoute parts, std::shared_ptr<Connection> connection,
              std::shared_ptr<ViewPool> pool, WakeUpUse use = WakeUpUse::polled);
  ~MappedRoute();
  MappedRoute(const MappedRoute&) = delete;
  MappedRoute& operator=(const MappedRoute&) = delete;

  /// Uses the visit's views.
  [[nodiscard]] Batch drain(std::uint64_t byte_budget, std::size_t most,
                            ViewPool::Visit& visit) noexcept;
  void release(Batch& batch) noexcept;
  /// Whether the message lies in here.
  [[nodiscard]] bool contains(const Message& message) const noexcept;
  [[nodiscard]] std::optional<Kept> keep(const Message& message) noexcept;
  void release_hold(shm::RouteReader::Hold hold) noexcept { reader_.release_hold(hold); }
  [[nodiscard]] WaitOutcome wait(std::chrono::steady_clock::time_point deadline,
                                 const WaitSettings& settings) noexcept;
  [[nodiscard]] SharedRoute share() const;
  /// Lets all who wait, in whatever process, look whether the broker is gone.
  void rouse() const noexcept;

  // ---- when one broker follows another --------------------------------------------------------

  /// For pollers: asks for a signal with the next change.
  void arm() noexcept;
  /// The next broker has copied all that was waiting into it, or said that its dead maker had.
  [[nodiscard]] bool filled() const noexcept {
    return complete_.load(std::memory_order_relaxed) || reader_.state() != shm::RouteState::filling;
  }
  void mark_complete() noexcept { complete_.store(true, std::memory_order_relaxed); }
  /// `ready` once filled; the others as in wait().
  [[nodiscard]] WaitOutcome wait_until_filled(std::chrono::steady_clock::time_point deadline,
                                              const WaitSettings& settings) noexcept;
  /// Of a dead broker's: whether all was taken, also what the activation log does not tell of. Not
  /// by two threads at once, as is the next.
  [[nodiscard]] bool drained_to_end() noexcept;
  /// Then: losses that nothing else tells, once.
  [[nodiscard]] EndedLoss final_loss() noexcept { return reader_.final_loss(); }
  /// What guests' publishes it holds, or held, for the next broker. Throws std::bad_alloc.
  void add_pushes(std::vector<shm::PushMark>& pushes) const;
  [[nodiscard]] std::uint64_t epoch() const noexcept {
    return reinterpret_cast<const shm::SegmentHeader*>(route_.data())->epoch;
  }
  [[nodiscard]] bool sealed() const noexcept { return sealed_; }

  [[nodiscard]] const shm::RouteReader& reader() const noexcept { return reader_; }
  [[nodiscard]] std::span<const std::byte> mapping() const noexcept { return route_.bytes(); }
  /// For the user to poll.
  [[nodiscard]] int wake_up() const noexcept { return watched_ ? -1 : wake_up_.get(); }
  [[nodiscard]] std::uint64_t subscription() const noexcept { return subscription_; }
  [[nodiscard]] const std::shared_ptr<Connection>& connection() const noexcept {
    return connection_;
  }
  /// The broker has been asked to end the route: the destructor need not.
  void mark_ended() noexcept { ended_ = true; }

 private:
  /// What a waiter finds; nothing when there is nothing, and nothing else to tell.
  std::optional<WaitOutcome> look(std::chrono::steady_clock::time_point deadline) noexcept;
  [[nodiscard]] std::optional<shm::RouteReader::Hold> hold(const Message& message) noexcept;
  [[nodiscard]] bool messages_may_be_left() const noexcept;
  [[nodiscard]] WaitOutcome ended_outcome() const noexcept;
  [[nodiscard]] bool broker_gone() noexcept;
  [[nodiscard]] bool may_watch() noexcept;
  [[nodiscard]] shm::DoorbellOutcome watch(shm::DoorbellWaiter& waiter,
                                           std::chrono::steady_clock::time_point until) noexcept;
  [[nodiscard]] bool known_gone() const noexcept {
    return gone_.load(std::memory_order_acquire) || (connection_ && connection_->gone());
  }
  [[nodiscard]] MappingCount mappings() noexcept;

  shm::Segment route_;
  shm::Segment cursors_;
  shm::UniqueFd wake_up_;
  shm::UniqueFd liveness_;  // worker processes: a second descriptor of the guest's connection
  std::shared_ptr<Connection> connection_;
  const std::uint64_t subscription_;
  const std::uint32_t lane_capacity_;
  const std::uint32_t hold_slots_;
  const bool sealed_;
  const bool watched_;
  const HomeProcess home_;  // that mapped it
  std::atomic<bool> ended_{false};
  std::atomic<bool> gone_{false};
  std::atomic<bool> watching_{false};  // one thread is at it
  shm::RouteReader reader_;
  const std::shared_ptr<ViewPool> pool_;
  std::atomic<bool> complete_{false};
  bool swept_ = false;
  std::atomic<std::uint32_t> drains_{0};  // roughly
};

}  // namespace fairlead::guest
