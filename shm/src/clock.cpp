#include <fairlead/shm/clock.hpp>

#include <boost/date_time/posix_time/posix_time_types.hpp>

namespace fairlead::shm {

std::chrono::steady_clock::time_point steady_deadline(
    const boost::posix_time::ptime& utc_deadline) noexcept {
  using SteadyTime = std::chrono::steady_clock::time_point;
  if (utc_deadline.is_pos_infinity()) return SteadyTime::max();
  if (utc_deadline.is_special()) return SteadyTime{};
  const auto left = utc_deadline - boost::posix_time::microsec_clock::universal_time();
  // A deadline centuries away must not overflow; nobody can tell it from a shorter one.
  constexpr std::int64_t kFarAway = std::int64_t{100} * 365 * 24 * 3'600;
  if (left.total_seconds() > kFarAway) return SteadyTime::max();
  if (left.is_negative()) return SteadyTime{};
  return std::chrono::steady_clock::now() + std::chrono::microseconds(left.total_microseconds());
}

}  // namespace fairlead::shm
