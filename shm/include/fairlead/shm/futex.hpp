// Wait on and wake a 32-bit word in shared memory.
//
// The word may lie in a read-only mapping, for both calls (Linux: measured, and kernel/futex/core.c
// falls back to a read-only lookup for FUTEX_WAIT and FUTEX_WAKE). Whoever maps the word can steal
// its waiters (FUTEX_CMP_REQUEUE), so every wait here is timed. No call blocks but the wait.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace fairlead::shm {

enum class FutexOutcome : std::uint8_t {
  woken,        // by a wake, or for no reason at all: look again
  changed,      // the word was no longer `expected`: did not sleep
  timed_out,    // the full time passed
  interrupted,  // a signal handler ran
  failed,       // the kernel refuses (seccomp, unmapped): do not retry without a pause
};

/// Sleeps while `word == expected`, at most `timeout` (CLOCK_MONOTONIC; negative counts as zero).
/// Checking the word and going to sleep are one step to anyone who changes it and then wakes.
inline FutexOutcome futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                               std::chrono::nanoseconds timeout) noexcept {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  const std::int64_t left = std::max<std::int64_t>(timeout.count(), 0);
  const timespec relative{static_cast<time_t>(left / kPerSecond),
                          static_cast<long>(left % kPerSecond)};
  // Without FUTEX_PRIVATE_FLAG: the other side is another process.
  if (::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &relative, nullptr, 0) == 0) {
    return FutexOutcome::woken;
  }
  switch (errno) {
    case EAGAIN:
      return FutexOutcome::changed;
    case ETIMEDOUT:
      return FutexOutcome::timed_out;
    case EINTR:
      return FutexOutcome::interrupted;
    default:
      return FutexOutcome::failed;
  }
}

/// Wakes at most `most` sleepers and returns how many were woken; -1 when the kernel refuses.
inline int futex_wake(const std::atomic<std::uint32_t>& word, int most) noexcept {
  return static_cast<int>(::syscall(SYS_futex, &word, FUTEX_WAKE, most, nullptr, nullptr, 0));
}

}  // namespace fairlead::shm
