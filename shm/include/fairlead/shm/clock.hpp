// The two clocks, as plain numbers that can stand in shared memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace boost::posix_time {
class ptime;
}

namespace fairlead::shm {

namespace detail {
inline std::uint64_t read_clock(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}
}  // namespace detail

/// Nanoseconds of CLOCK_MONOTONIC: the same for all processes of the machine (but for those in a
/// time namespace), never goes back, says nothing after a reboot.
inline std::uint64_t monotonic_ns() noexcept { return detail::read_clock(CLOCK_MONOTONIC); }

/// Nanoseconds since 1970 (UTC). For people and logs: it jumps.
inline std::uint64_t realtime_ns() noexcept { return detail::read_clock(CLOCK_REALTIME); }

/// A deadline of Boost's as a steady one, seen from now: later jumps of the wall clock do not move
/// it. Positive infinity becomes time_point::max(), everything else that is no
/// time, or has passed, becomes the clock's epoch.
std::chrono::steady_clock::time_point steady_deadline(
    const boost::posix_time::ptime& utc_deadline) noexcept;

}  // namespace fairlead::shm
