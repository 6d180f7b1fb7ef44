// How a guest waits for its broker, without anything that the two could harm each other by.
//
// The doorbell is a word that only the broker writes; the guest maps it read-only and sleeps on it
// as a futex. The wait count is a word in the guest's own page. It counts registrations and only
// grows: it is not a number of sleepers, so a killed sleeper leaves nothing behind.
//
//   waiter                                      notifier (the broker, after changing its state)
//   d = doorbell                   (acquire)    doorbell = d + 1           // sync: doorbell
//   look: nothing to do                         full fence
//   wait_count += 1                (seq_cst)    if wait_count is not what it was two rings ago:
//   doorbell still d?              (seq_cst)      futex_wake               // sync: wait-count
//   futex_wait(doorbell, d)
//
// Each side writes its own word, then reads the other's (Dekker): either the notifier sees the new
// count and wakes, or the waiter sees the new doorbell and does not sleep. A lost or stolen wake-up
// costs at most kLongestSleepNanoseconds: then the waiter looks at the doorbell by itself.
//
// Why two rings: the notifier may stand between its store of d and its look at the count while a
// waiter sees d, finds nothing, and registers. The wake-up that follows may come before that waiter
// sleeps, and its doorbell does not change any more, so the next ring must wake it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/futex.hpp>

namespace fairlead::shm {

using SteadyTime = std::chrono::steady_clock::time_point;

enum class DoorbellOutcome : std::uint8_t {
  rang,         // since the waiter last observed it
  timed_out,    // the deadline passed
  interrupted,  // a signal handler ran: the caller may want to stop waiting
  roused,       // somebody woke us without a ring: sleep_until_roused() only
};

/// The sleeping half, without a lock. One object per waiting thread: it remembers which ring of the
/// doorbell that thread has seen. Both words must outlive it.
class DoorbellWaiter {
 public:
  /// Sees the doorbell as it is now: what is looked at after this line is never slept through.
  DoorbellWaiter(const std::atomic<std::uint32_t>& doorbell, std::atomic<std::uint32_t>& wait_count,
                 std::chrono::nanoseconds spin = std::chrono::nanoseconds(0)) noexcept
      : doorbell_(doorbell), wait_count_(wait_count), spin_(spin) {
    observe();
  }

  /// Call before looking for work; a later sleep ends at once if the doorbell rang since.
  void observe() noexcept { seen_ = doorbell_.load(std::memory_order_acquire); }  // sync: doorbell

  [[nodiscard]] bool rang() const noexcept {
    return doorbell_.load(std::memory_order_acquire) != seen_;  // sync: doorbell
  }

  /// Spins, then sleeps, until the doorbell has rung since observe() or one of the other outcomes.
  /// Spurious wake-ups stay inside. After `rang` the new value has been observed.
  [[nodiscard]] DoorbellOutcome sleep_until(SteadyTime deadline) noexcept {
    for (;;) {
      const DoorbellOutcome slept = sleep_until_roused(deadline);
      if (slept != DoorbellOutcome::roused) return slept;
    }
  }
  /// The same, but a wake-up without a ring comes out: who finds the broker dead wakes the others
  /// so, as does the next broker. Seldom it is nothing.
  [[nodiscard]] DoorbellOutcome sleep_until_roused(SteadyTime deadline) noexcept;

 private:
  bool spin(SteadyTime deadline) const noexcept;

  const std::atomic<std::uint32_t>& doorbell_;
  std::atomic<std::uint32_t>& wait_count_;
  std::chrono::nanoseconds spin_;
  std::uint32_t seen_ = 0;
};

/// The condition variable that goes with DrainMutex (R28): the waiting half of Boost.Interprocess's
/// condition interface, for any lock with lock() and unlock(). There is no notify: only the broker
/// rings. As with every condition variable the predicate is checked in a loop, and as with none
/// other one object belongs to one waiting thread (it is three words).
///
/// Make it before the first look at the predicate. The lock is released while spinning and
/// sleeping, and held again on return, also when the time is up.
class DoorbellCondition {
 public:
  DoorbellCondition(const std::atomic<std::uint32_t>& doorbell,
                    std::atomic<std::uint32_t>& wait_count,
                    std::chrono::nanoseconds spin = std::chrono::nanoseconds(0)) noexcept
      : waiter_(doorbell, wait_count, spin) {}

  /// Returns once the doorbell has rung since the last return (or since construction), or when a
  /// signal handler ran.
  template <class Lock>
  void wait(Lock& lock) {
    wait_until(lock, SteadyTime::max());
  }

  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate predicate) {
    while (!predicate()) wait(lock);
  }

  /// False when the deadline passed first.
  template <class Lock>
  bool timed_wait(Lock& lock, SteadyTime deadline) {
    return wait_until(lock, deadline);
  }
  template <class Lock>
  bool timed_wait(Lock& lock, const boost::posix_time::ptime& utc_deadline) {
    return wait_until(lock, steady_deadline(utc_deadline));
  }

  /// The predicate's value at the end.
  template <class Lock, class Predicate>
  bool timed_wait(Lock& lock, SteadyTime deadline, Predicate predicate) {
    while (!predicate()) {
      if (!wait_until(lock, deadline)) return predicate();
    }
    return true;
  }
  template <class Lock, class Predicate>
  bool timed_wait(Lock& lock, const boost::posix_time::ptime& utc_deadline, Predicate predicate) {
    return timed_wait(lock, steady_deadline(utc_deadline), predicate);
  }

 private:
  template <class Lock>
  bool wait_until(Lock& lock, SteadyTime deadline) {
    lock.unlock();  // throws what the lock throws when it is not held
    const DoorbellOutcome outcome = waiter_.sleep_until(deadline);
    lock.lock();
    // What the caller looks at next is at least as new as this.
    waiter_.observe();
    return outcome != DoorbellOutcome::timed_out;
  }

  DoorbellWaiter waiter_;
};

}  // namespace fairlead::shm
