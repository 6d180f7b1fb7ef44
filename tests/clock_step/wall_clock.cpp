#include "wall_clock.hpp"

#include <dlfcn.h>
#include <sys/time.h>

#include <atomic>
#include <ctime>

namespace {

std::atomic<std::int64_t> offset_seconds = 0;
std::atomic<std::uint64_t> readings = 0;

template <class Function>
Function real(const char* name) noexcept {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

time_t stepped(time_t seconds) noexcept {
  readings.fetch_add(1, std::memory_order_relaxed);
  return seconds + offset_seconds.load(std::memory_order_relaxed);
}

}  // namespace

// In place of libc's, for all that is linked into this program.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static const auto libc = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = libc(clock, now);
  const bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
  if (result == 0 && wall) now->tv_sec = stepped(now->tv_sec);
  return result;
}

extern "C" int gettimeofday(timeval* now, void* zone) noexcept {
  static const auto libc = real<int (*)(timeval*, void*)>("gettimeofday");
  const int result = libc(now, zone);
  if (result == 0) now->tv_sec = stepped(now->tv_sec);
  return result;
}

extern "C" time_t time(time_t* out) noexcept {
  static const auto libc = real<time_t (*)(time_t*)>("time");
  const time_t now = stepped(libc(nullptr));
  if (out != nullptr) *out = now;
  return now;
}

namespace fairlead::test {

void set_wall_clock(std::chrono::seconds offset) noexcept { offset_seconds = offset.count(); }
std::uint64_t wall_clock_readings() noexcept { return readings; }

}  // namespace fairlead::test
