// A route over all lives of its broker: the mapping that is drained now, and those that follow it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <fairlead/guest/batch.hpp>
#include <fairlead/guest/route_end.hpp>
#include <fairlead/guest/subscription.hpp>

#include "link.hpp"
#include "mapped_route.hpp"
#include "poll_set.hpp"
#include "view_pool.hpp"

namespace fairlead::guest {

/// Thread-safe. Without a Link (in worker processes), or with one that cannot come back, it is its
/// one mapping.
///
/// The first mapping is never one that is still being filled, so the data path just uses it. It is
/// exchanged where a drain, or a waiter, found nothing in it and its broker gone.
class ResumableRoute {
 public:
  /// Takes the place of `link`'s subscriber. Throws Error as MappedRoute(), and limit.
  ResumableRoute(SharedRoute parts, std::shared_ptr<Connection> connection,
                 std::shared_ptr<Link> link, WakeUpUse use = WakeUpUse::polled);
  ~ResumableRoute();
  ResumableRoute(const ResumableRoute&) = delete;
  ResumableRoute& operator=(const ResumableRoute&) = delete;

  [[nodiscard]] Batch drain(std::uint64_t byte_budget, std::size_t most) noexcept {
    ViewPool::Visit visit(*pool_);
    MappedRoute* const first = first_.load(std::memory_order_seq_cst);  // sync: first-mapping
    Batch batch = first->drain(byte_budget, most, visit);
    if (batch.empty() && resumable_) after_nothing(batch, byte_budget, most, visit);
    return batch;
  }
  [[nodiscard]] std::optional<Kept> keep(const Message& message) noexcept;
  [[nodiscard]] WaitOutcome wait(std::chrono::nanoseconds timeout,
                                 const WaitSettings& settings) noexcept;

  [[nodiscard]] int descriptor() const noexcept;
  [[nodiscard]] shm::RouteState state() const noexcept;
  [[nodiscard]] std::uint64_t subscription() const noexcept { return subscription_; }
  /// The first mapping, which stays as long as somebody holds it.
  [[nodiscard]] std::shared_ptr<MappedRoute> first() const noexcept;
  [[nodiscard]] std::optional<RouteEnd> end(std::chrono::nanoseconds timeout) const;
  [[nodiscard]] SharedRoute share() const;
  void rouse() const noexcept;
  /// The broker has been asked to end the route.
  void mark_ended() noexcept;

  // ---- the link's ------------------------------------------------------------------------------

  /// Asks the broker at the other end for the route's next mapping, if it has none from there yet.
  /// Throws Error when that connection is of no use any more. One thread at a time.
  void resume(const std::shared_ptr<Connection>& connection);
  /// No broker knows it any more: it is closed once all is drained.
  void end_with(std::string_view sentence);

 private:
  enum class Step : std::uint8_t {
    again,    // there is something to take, or to be told, in the first mapping
    moved,    // another mapping is the first
    filling,  // the second one is not filled yet
    stay,     // the broker is away, or has just gone
    ended,
    lost,
  };
  void after_nothing(Batch& batch, std::uint64_t byte_budget, std::size_t most,
                     ViewPool::Visit& visit) noexcept {
    if (batch.outcome() == DrainOutcome::empty) {
      if (polled_ && polled_->incomplete()) watch_again();
      const std::uint32_t drains = empty_drains_.load(std::memory_order_relaxed) + 1;
      empty_drains_.store(drains, std::memory_order_relaxed);
      if (drains % kDrainsPerClock == 0) look_now_and_then();
    } else if (batch.outcome() == DrainOutcome::disconnected) {
      drain_next(batch, byte_budget, most, visit);
    }
  }
  void drain_next(Batch& batch, std::uint64_t byte_budget, std::size_t most,
                  ViewPool::Visit& visit) noexcept;
  void look_now_and_then() noexcept;
  [[nodiscard]] std::optional<WaitOutcome> rest(std::chrono::steady_clock::time_point deadline,
                                                const WaitSettings& settings) noexcept;

  /// Whoever can tell the user of losses passes `told`.
  [[nodiscard]] Step step(EndedLoss* told) noexcept;
  [[nodiscard]] Step advance(Link::State state, const Connection& present, EndedLoss* told);
  [[nodiscard]] bool is_late(const Connection& present) const noexcept;
  void make_second_first();
  void free_retired() noexcept;
  void settle(std::uint64_t claimed_epoch) noexcept;
  void tell_pushes(Connection& connection) const;
  bool watch(const MappedRoute& mapping) noexcept;
  void watch_again() noexcept;
  void rest_polling(SteadyTime until) noexcept;
  [[nodiscard]] std::shared_ptr<MappedRoute> mapping(std::size_t index) const noexcept;

  // Who only ever spins on an empty route looks for its broker now and then; the clock is read less
  // often than the route is drained.
  static constexpr std::uint32_t kDrainsPerClock = 64;

  const std::shared_ptr<ViewPool> pool_ = std::make_shared<ViewPool>();
  const std::shared_ptr<Link> link_;
  const std::uint64_t subscription_;
  const bool resumable_;
  const WakeUpUse wake_up_use_;
  std::atomic<MappedRoute*> first_;  // mappings_.front()

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<MappedRoute>> mappings_;  // oldest life first, never empty
  EndedLoss pending_loss_;                             // of the first one, not told yet
  bool loss_known_ = false;
  std::optional<RouteEnd> end_;
  bool ended_ = false;          // by us
  SteadyTime next_catch_up_{};  // of a route that was put off
  std::optional<PollSet> polled_;
  bool watched_;  // unless the next broker has no socket left for it
  std::vector<std::shared_ptr<MappedRoute>> retired_;  // somebody may still be inside
  std::uint32_t generation_ = 0;                       // since the newest of them was retired
  std::vector<std::weak_ptr<MappedRoute>> earlier_;    // that batches may still keep

  std::atomic<std::uint32_t> empty_drains_{0};  // roughly
  std::atomic<std::int64_t> last_look_{0};      // of steady_clock
};

/// As the broker sent them. Throws Error(protocol).
[[nodiscard]] SharedRoute to_parts(const shm::control::Subscribed& reply,
                                   std::vector<shm::UniqueFd> descriptors);

}  // namespace fairlead::guest
