// Sleeping on the receipts' doorbell.
#include <algorithm>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/futex.hpp>

#include "deadline.hpp"
#include "outbox.hpp"

namespace fairlead::guest {
namespace {

// A broker that was killed rings nobody: the first look at its end of the connection comes soon,
// later ones at ever longer intervals.
constexpr std::chrono::nanoseconds kFirstSleep = std::chrono::milliseconds(50);
constexpr std::chrono::nanoseconds kLongestSleep(shm::kLongestSleepNanoseconds);

}  // namespace

Outbox::Waited Outbox::wait_until(const OutboxMapping& mapping, std::uint32_t seen_doorbell,
                                  SteadyTime deadline) noexcept {
  const std::atomic<std::uint32_t>& bell = mapping.receipt().doorbell;
  Connection& connection = mapping.connection();
  std::chrono::nanoseconds sleep = kFirstSleep;
  for (;;) {
    if (bell.load(std::memory_order_acquire) != seen_doorbell) return Waited::rang;
    if (connection.gone()) return Waited::gone;
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      return connection.look_whether_gone() ? Waited::gone : Waited::timed_out;
    }
    const auto slept = shm::futex_wait(bell, seen_doorbell,
                                       std::min<std::chrono::nanoseconds>(sleep, deadline - now));
    switch (slept) {
      case shm::FutexOutcome::woken:
        // Without a ring: the next broker tells us so that the last one is dead.
        if (bell.load(std::memory_order_acquire) == seen_doorbell && connection.look_whether_gone())
          return Waited::gone;
        break;
      case shm::FutexOutcome::changed:
      case shm::FutexOutcome::interrupted:
        break;
      case shm::FutexOutcome::timed_out:
        if (connection.look_whether_gone()) return Waited::gone;
        sleep = std::min(sleep * 2, kLongestSleep);
        break;
      case shm::FutexOutcome::failed:
        return Waited::timed_out;
    }
  }
}

}  // namespace fairlead::guest
