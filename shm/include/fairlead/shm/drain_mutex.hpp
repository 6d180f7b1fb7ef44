// The lock that the threads and worker processes of ONE guest take to drain a route (R28).
//
// A robust, process-shared pthread mutex that models Boost.Interprocess's Mutex concept, so that
// boost::interprocess::scoped_lock<DrainMutex> works. It lies in memory that its guest writes, and
// pthread keeps list pointers inside it: the broker, and any other guest, must never lock it.
//
// When its owner dies the next locker gets it. What it guards may then be half changed, so the
// death is remembered in the mutex until somebody has repaired that: see needs_repair().
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/layout_field.hpp>

namespace boost::posix_time {
class ptime;
}

namespace fairlead::shm {

enum class LockOutcome : std::uint8_t {
  acquired,      // held
  needs_repair,  // held, but an owner died in between: repair, then call mark_repaired()
  busy,          // not held: somebody else has it, or the deadline passed
  failed,        // not held: the memory is not a mutex (any more)
};

/// Thread- and process-safe. The processes that share one must be in the same PID namespace: the
/// kernel and glibc know the owner by its thread id.
class DrainMutex {
 public:
  /// Makes an unlocked mutex; whoever creates the segment does so once. Throws Error when the C
  /// library refuses. Memory that is all zero is still safe to lock, but neither robust nor shared.
  DrainMutex();
  // No destructor: in shared memory nobody knows who is last, and glibc has nothing to free.
  DrainMutex(const DrainMutex&) = delete;
  DrainMutex& operator=(const DrainMutex&) = delete;

  /// Data path: never throw, never absorb an owner's death.
  [[nodiscard]] LockOutcome lock_reporting() noexcept;
  [[nodiscard]] LockOutcome try_lock_reporting() noexcept;
  [[nodiscard]] LockOutcome lock_until(std::chrono::steady_clock::time_point deadline) noexcept;

  /// Boost.Interprocess Mutex. A dead owner counts as acquired (ask needs_repair());
  /// `failed` throws boost::interprocess::lock_exception.
  void lock();
  bool try_lock();
  bool timed_lock(const boost::posix_time::ptime& utc_deadline);
  bool timed_lock(std::chrono::steady_clock::time_point deadline);
  void unlock() noexcept;

  /// For the owner only: an owner died and nobody has repaired what the mutex guards since. Stays
  /// true when the repairer dies as well.
  [[nodiscard]] bool needs_repair() const noexcept {
    return owner_deaths_.load(std::memory_order_relaxed) != repaired_deaths_;
  }
  void mark_repaired() noexcept {
    repaired_deaths_ = owner_deaths_.load(std::memory_order_relaxed);
  }

  /// How many owners died with it locked, since it was made. For statistics; may be read unlocked.
  [[nodiscard]] std::uint32_t owner_deaths() const noexcept {
    return owner_deaths_.load(std::memory_order_relaxed);
  }

  /// For the layout hash, because nobody else sees the members.
  [[nodiscard]] static constexpr std::array<LayoutField, 4> layout_fields() noexcept;

 private:
  LockOutcome conclude(int error) noexcept;

  pthread_mutex_t mutex_;
  std::atomic<std::uint32_t> owner_deaths_{0};  // written by the owner only
  std::uint32_t repaired_deaths_ = 0;           // guarded by the mutex
};

constexpr std::array<LayoutField, 4> DrainMutex::layout_fields() noexcept {
  constexpr const char* kName = "DrainMutex";
  return {{{kName, "", alignof(DrainMutex), sizeof(DrainMutex)},
           {kName, "mutex_", offsetof(DrainMutex, mutex_), sizeof(mutex_)},
           {kName, "owner_deaths_", offsetof(DrainMutex, owner_deaths_), sizeof(owner_deaths_)},
           {kName, "repaired_deaths_", offsetof(DrainMutex, repaired_deaths_),
            sizeof(repaired_deaths_)}}};
}
static_assert(sizeof(DrainMutex) == 48 && alignof(DrainMutex) == 8);
static_assert(std::is_standard_layout_v<DrainMutex> &&
              std::is_trivially_destructible_v<DrainMutex>);

}  // namespace fairlead::shm
