#include <fairlead/shm/process_identity.hpp>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include <fairlead/shm/clock.hpp>

namespace fairlead::shm {
namespace {

std::atomic<ProcessIdentity> known{0};

void forget() noexcept { known.store(0, std::memory_order_relaxed); }

// False only when there is no memory for the handler: then nothing may be remembered.
bool forks_are_watched() noexcept {
  static const bool watched = ::pthread_atfork(nullptr, nullptr, forget) == 0;
  return watched;
}

// In steps of a microsecond. Within 71 minutes no two are the same, and never 0.
std::uint32_t stamp_now() noexcept {
  const auto stamp = static_cast<std::uint32_t>(monotonic_ns() / 1'000);
  return stamp == 0 ? 1 : stamp;
}

pid_t process_of(ProcessIdentity identity) noexcept {
  return static_cast<pid_t>(static_cast<std::uint32_t>(identity));
}

std::uint32_t stamp_of(ProcessIdentity identity) noexcept {
  return static_cast<std::uint32_t>(identity >> 32);
}

// When the program is loaded, before there are threads that could fork in the middle of it.
[[maybe_unused]] const ProcessIdentity at_load = this_process();

}  // namespace

ProcessIdentity this_process() noexcept {
  ProcessIdentity ours = known.load(std::memory_order_relaxed);
  if (ours != 0) return ours;
  // Without a stamp, and so the same each time.
  if (!forks_are_watched()) return make_process_identity(::getpid(), 0);
  const ProcessIdentity fresh = make_process_identity(::getpid(), stamp_now());
  return known.compare_exchange_strong(ours, fresh, std::memory_order_relaxed) ? fresh : ours;
}

bool is_dead(ProcessIdentity identity) noexcept {
  const ProcessIdentity ours = this_process();
  const pid_t process = process_of(identity);
  if (identity == ours) return false;
  if (process < 1) return true;
  if (process == process_of(ours)) {  // one that had our number before us
    return stamp_of(identity) != 0 && stamp_of(ours) != 0;
  }
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

}  // namespace fairlead::shm
