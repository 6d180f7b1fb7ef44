#include <poll.h>

#include <fairlead/shm/doorbell_condition.hpp>

namespace fairlead::shm {
namespace {

constexpr std::chrono::nanoseconds kLongestSleep(kLongestSleepNanoseconds);

void pause_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Where the kernel refuses to wait on the word (it cannot, unless it was unmapped), waiting must
/// not become spinning. poll() is among the calls that a sandboxed guest may always make.
void pause_thread() noexcept { ::poll(nullptr, 0, 1); }

}  // namespace

bool DoorbellWaiter::spin(SteadyTime deadline) const noexcept {
  if (spin_ <= std::chrono::nanoseconds(0)) return rang();
  // Asking for the time costs as much as a few dozen looks at the doorbell.
  constexpr int kLooksPerClock = 32;
  const SteadyTime begin = std::chrono::steady_clock::now();
  const SteadyTime end = std::min(begin + spin_, deadline);
  do {
    for (int look = 0; look < kLooksPerClock; ++look) {
      if (rang()) return true;
      pause_processor();
    }
  } while (std::chrono::steady_clock::now() < end);
  return rang();
}

DoorbellOutcome DoorbellWaiter::sleep_until_roused(SteadyTime deadline) noexcept {
  if (spin(deadline)) {
    observe();
    return DoorbellOutcome::rang;
  }
  for (SteadyTime now = std::chrono::steady_clock::now(); now < deadline;
       now = std::chrono::steady_clock::now()) {
    // Anew for each sleep: the notifier may have used up the last registration.
    wait_count_.fetch_add(1, std::memory_order_seq_cst);            // sync: wait-count
    if (doorbell_.load(std::memory_order_seq_cst) != seen_) break;  // sync: doorbell
    const auto left = deadline - now;
    const FutexOutcome slept =
        futex_wait(doorbell_, seen_, std::min<std::chrono::nanoseconds>(left, kLongestSleep));
    if (slept == FutexOutcome::failed) pause_thread();
    if (rang()) break;
    if (slept == FutexOutcome::interrupted) return DoorbellOutcome::interrupted;
    if (slept == FutexOutcome::woken) return DoorbellOutcome::roused;
  }
  if (!rang()) return DoorbellOutcome::timed_out;
  observe();
  return DoorbellOutcome::rang;
}

}  // namespace fairlead::shm
