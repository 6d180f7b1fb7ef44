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

Outbox::Waited Outbox::wait_until(std::uint32_t seen_doorbell, Deadline deadline) noexcept {
  std::chrono::nanoseconds sleep = kFirstSleep;
  for (;;) {
    if (receipt_.doorbell.load(std::memory_order_acquire) != seen_doorbell) return Waited::rang;
    if (connection_->gone()) return Waited::gone;
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      return connection_->look_whether_gone() ? Waited::gone : Waited::timed_out;
    }
    const auto slept = shm::futex_wait(receipt_.doorbell, seen_doorbell,
                                       std::min<std::chrono::nanoseconds>(sleep, deadline - now));
    switch (slept) {
      case shm::FutexOutcome::woken:
      case shm::FutexOutcome::changed:
      case shm::FutexOutcome::interrupted:
        break;
      case shm::FutexOutcome::timed_out:
        if (connection_->look_whether_gone()) return Waited::gone;
        sleep = std::min(sleep * 2, kLongestSleep);
        break;
      case shm::FutexOutcome::failed:
        return Waited::timed_out;
    }
  }
}

}  // namespace fairlead::guest
