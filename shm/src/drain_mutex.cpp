#include <algorithm>
#include <cerrno>
#include <ctime>

#include <boost/interprocess/exceptions.hpp>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/drain_mutex.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::shm {
namespace {

class MutexAttributes {
 public:
  MutexAttributes() { require(::pthread_mutexattr_init(&attributes_)); }
  ~MutexAttributes() { ::pthread_mutexattr_destroy(&attributes_); }
  MutexAttributes(const MutexAttributes&) = delete;
  MutexAttributes& operator=(const MutexAttributes&) = delete;

  pthread_mutexattr_t* get() noexcept { return &attributes_; }

  static void require(int error) {
    if (error != 0) throw_system("cannot make a drain mutex", error);
  }

 private:
  pthread_mutexattr_t attributes_;
};

timespec to_timespec(std::chrono::nanoseconds since_epoch) noexcept {
  // A deadline before the epoch has passed, and so has 0; pthread refuses negative fields.
  if (since_epoch.count() < 0) return {};
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  return {static_cast<time_t>(since_epoch.count() / kPerSecond),
          static_cast<long>(since_epoch.count() % kPerSecond)};
}

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool kThreadSanitizer = false;
#endif

int lock_with_deadline(pthread_mutex_t& mutex, std::chrono::steady_clock::time_point deadline) {
  if constexpr (kThreadSanitizer) {
    // It does not know pthread_mutex_clocklock(), and would take the unlock for a bug.
    const auto now = std::chrono::steady_clock::now();
    const auto century = std::chrono::hours(100 * 365 * 24);
    const auto left = deadline <= now ? std::chrono::nanoseconds(0)
                                      : std::min<std::chrono::nanoseconds>(deadline - now, century);
    const timespec until = to_timespec(std::chrono::system_clock::now().time_since_epoch() + left);
    return ::pthread_mutex_timedlock(&mutex, &until);
  }
  const timespec until = to_timespec(deadline.time_since_epoch());
  return ::pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until);
}

bool held_or_throw(LockOutcome outcome) {
  if (outcome == LockOutcome::failed) throw boost::interprocess::lock_exception();
  return outcome != LockOutcome::busy;
}

}  // namespace

DrainMutex::DrainMutex() {
  MutexAttributes attributes;
  MutexAttributes::require(
      ::pthread_mutexattr_setpshared(attributes.get(), PTHREAD_PROCESS_SHARED));
  MutexAttributes::require(::pthread_mutexattr_setrobust(attributes.get(), PTHREAD_MUTEX_ROBUST));
  MutexAttributes::require(::pthread_mutex_init(&mutex_, attributes.get()));
}

LockOutcome DrainMutex::conclude(int error) noexcept {
  switch (error) {
    case 0:
      break;
    case EOWNERDEAD:
      // Counted before it is made consistent: if we die in between, the next one counts it again.
      owner_deaths_.store(owner_deaths_.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
      ::pthread_mutex_consistent(&mutex_);
      break;
    case EBUSY:
    case ETIMEDOUT:
      return LockOutcome::busy;
    default:
      return LockOutcome::failed;
  }
  return needs_repair() ? LockOutcome::needs_repair : LockOutcome::acquired;
}

LockOutcome DrainMutex::lock_reporting() noexcept {
  return conclude(::pthread_mutex_lock(&mutex_));
}

LockOutcome DrainMutex::try_lock_reporting() noexcept {
  return conclude(::pthread_mutex_trylock(&mutex_));
}

LockOutcome DrainMutex::lock_until(std::chrono::steady_clock::time_point deadline) noexcept {
  return conclude(lock_with_deadline(mutex_, deadline));
}

void DrainMutex::lock() { held_or_throw(lock_reporting()); }

bool DrainMutex::try_lock() { return held_or_throw(try_lock_reporting()); }

bool DrainMutex::timed_lock(std::chrono::steady_clock::time_point deadline) {
  return held_or_throw(lock_until(deadline));
}

bool DrainMutex::timed_lock(const boost::posix_time::ptime& utc_deadline) {
  return timed_lock(steady_deadline(utc_deadline));
}

void DrainMutex::unlock() noexcept { ::pthread_mutex_unlock(&mutex_); }

}  // namespace fairlead::shm
