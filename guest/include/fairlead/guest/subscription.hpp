// One route of a guest: taking messages out of it, and waiting for more.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <fairlead/guest/batch.hpp>
#include <fairlead/guest/route_end.hpp>
#include <fairlead/guest/shared_route.hpp>
#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::guest {

class ResumableRoute;

/// Payload and topic bytes that drain() takes at most if it is not told otherwise.
inline constexpr std::uint64_t kDefaultDrainBytes = 64 * 1024;

enum class WaitOutcome : std::uint8_t {
  ready,         // there may be messages: drain()
  timeout,       // the time passed
  interrupted,   // a signal handler ran in this thread
  closed,        // nothing there, and the broker has ended the route
  poisoned,      // likewise, because our own cursor page made no sense to it
  disconnected,  // nothing there, and the broker is gone for good
  corrupt,       // the cursor page's mutex is unusable
};

[[nodiscard]] std::string_view to_string(WaitOutcome outcome) noexcept;

/// Both are settings of one process: they may differ between the workers of a route.
struct WaitSettings {
  /// Looking at the doorbell before going to sleep. More costs processor time, less latency.
  std::chrono::nanoseconds spin{shm::kDefaultSpinNanoseconds};
  /// Longest single sleep, at least a millisecond; the first ones are shorter. Afterwards the
  /// waiter looks by itself whether the broker is still there. One waiter of a guest's first route
  /// notices that at once, and tells the others of its process.
  std::chrono::nanoseconds longest_sleep{shm::kLongestSleepNanoseconds};
};

/// Thread-safe: any number of threads and worker processes drain and wait at once, under the
/// route's interprocess mutex (R28); each message goes to one of them. A worker that is killed,
/// also in the middle of a drain, costs the others nothing but what it had taken. One that is
/// stopped inside a drain (some hundred nanoseconds) holds the other workers of this route up,
/// nobody else.
///
/// No call on the data path throws, waits for the broker, or allocates per message.
///
/// When the broker is restarted (R34), the subscription goes on in memory that the next one gives
/// it: first comes all that the dead one left, then what the next one brings. Whoever drains or
/// waits meanwhile finds it empty, and does what it takes to come back; so a drain that finds
/// nothing may then take a few milliseconds, or up to AttachOptions::timeout with a broker that
/// takes our connection and does not answer. Worker processes cannot come back: they drain what is
/// left, then are `disconnected`, and are handed a new share.
///
/// The route ends when the last of Subscription, its batches and kept messages is gone, in the
/// process that subscribed, or when Guest::unsubscribe() says so. Worker processes and forked
/// children leave it alone. Its memory stays until the last worker has let go of it. A forked child
/// that goes on with its copy is no worker that anybody knows of: its parent must keep its own
/// meanwhile, or hand it a SharedRoute.
class Subscription {
 public:
  /// As a worker of the guest that shared it. The same checks as at subscribe. Throws Error, also
  /// not_found: the route has ended, and all others have let go of it.
  [[nodiscard]] static Subscription from_descriptors(SharedRoute shared, WaitSettings waiting = {});

  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  // ---- data path ------------------------------------------------------------------------------

  /// Takes messages in DRR order (R23 to R27) until `byte_budget` payload and topic bytes are
  /// reached: at least one if there is any, however large (R25).
  [[nodiscard]] Batch drain(std::uint64_t byte_budget = kDefaultDrainBytes) noexcept;
  /// At most one message; shares the scheduler's state with drain() (R24).
  [[nodiscard]] Batch take() noexcept;

  /// Keeps a message of a batch that is still held, beyond that batch; nothing when all
  /// hold slots of the route are taken: shm::kHoldSlots, or fewer by the policy (R22).
  [[nodiscard]] std::optional<Kept> keep(const Message& message) noexcept;

  /// Until there may be messages, or the time has passed (zero or less: looks once). Spins, then
  /// sleeps; idle waiting uses no processor time.
  [[nodiscard]] WaitOutcome wait(std::chrono::nanoseconds timeout) noexcept;
  [[nodiscard]] WaitOutcome wait() noexcept { return wait(std::chrono::nanoseconds::max()); }

  /// For poll() or epoll, POLLIN: readable when messages may have come, or the broker has gone. -1
  /// unless SubscribeOptions::descriptor was set. Do nothing with it but poll. It stays the same
  /// when the broker is restarted. While the broker is away it is readable now and then: the drain
  /// that follows tries to come back.
  ///
  /// Protocol: drain until the outcome is `empty`, and only then poll. That last drain arms the
  /// descriptor: whatever is published after it makes the descriptor readable, and it stays
  /// readable until the next `empty`. Several workers may poll it. Poll with a time-out (30 s,
  /// say): when a worker is killed while it arms, in the few instructions between taking the old
  /// signal and asking for a new one, the other pollers see neither.
  [[nodiscard]] int descriptor() const noexcept;

  /// As the broker last said; `open` also when the broker is gone without a word. `closed` as well
  /// when the next broker does not know the route any more.
  [[nodiscard]] shm::RouteState state() const noexcept;

  // ---- control --------------------------------------------------------------------------------

  /// Never zero, never used again by a broker of that name; the next one keeps it.
  [[nodiscard]] std::uint64_t number() const noexcept;
  [[nodiscard]] shm::Boundary boundary() const noexcept;
  [[nodiscard]] std::string pattern() const;
  /// Why it ended, if the broker has said so. The route's state is there a little before the
  /// broker's words, so this waits for them up to `timeout`, but not for a broker that is gone.
  /// Nothing in worker processes, and after unsubscribe(). Throws std::bad_alloc.
  [[nodiscard]] std::optional<RouteEnd> end(std::chrono::nanoseconds timeout = {}) const;
  /// Second descriptors of everything, for a worker process; of the present broker's. Throws Error
  /// (limit).
  [[nodiscard]] SharedRoute share() const;
  /// Not while other threads wait.
  void set_waiting(WaitSettings waiting) noexcept;

  /// The whole mapping, which the payloads lie in: for checks and measurements. Another one after a
  /// restart of the broker; the old one stays while batches or kept messages lie in it.
  [[nodiscard]] std::span<const std::byte> mapping() const noexcept;

 private:
  friend class Guest;
  Subscription(std::shared_ptr<ResumableRoute> route, WaitSettings waiting) noexcept;

  std::shared_ptr<ResumableRoute> route_;
  WaitSettings waiting_;
};

}  // namespace fairlead::guest
