#include "poll_set.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>

#include <fairlead/shm/error.hpp>

namespace fairlead::guest {
namespace {

// Until the kernel may have memory again.
constexpr std::chrono::nanoseconds kPauseOfWatch = std::chrono::milliseconds(10);

bool add(const shm::UniqueFd& set, int descriptor, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;  // a hang-up is always told
  return ::epoll_ctl(set.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

}  // namespace

PollSet::PollSet()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!epoll_) throw_system("cannot make a descriptor to poll");
  if (timer_ && !add(epoll_, timer_.get(), EPOLLIN)) timer_.reset();
}

bool PollSet::watch(int wake_up, int connection) noexcept {
  const bool as_before = wake_up == wake_up_ && connection == connection_ && !incomplete();
  if (!as_before) {
    drop();
    wake_up_ = wake_up;
    connection_ = connection;
    const bool complete = (wake_up < 0 || add(epoll_, wake_up, EPOLLIN)) &&
                          (connection < 0 || add(epoll_, connection, 0));
    incomplete_.store(!complete, std::memory_order_relaxed);
    if (!complete) {
      const int error = errno;
      set_timer(std::chrono::steady_clock::now() + kPauseOfWatch);
      errno = error;
      return false;
    }
  }
  if (timed_) set_timer(SteadyTime::max());
  return true;
}

void PollSet::watch_again() noexcept {
  if (incomplete()) (void)watch(wake_up_, connection_);
}

void PollSet::rest_until(SteadyTime moment) noexcept {
  if (set_timer(moment)) drop();
}

void PollSet::drop() noexcept {
  for (int* descriptor : {&wake_up_, &connection_}) {
    if (*descriptor >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, *descriptor, nullptr);
    *descriptor = -1;
  }
  incomplete_.store(false, std::memory_order_relaxed);
}

/// SteadyTime::max() is never.
bool PollSet::set_timer(SteadyTime moment) noexcept {
  if (!timer_) return false;
  timed_ = moment != SteadyTime::max();
  itimerspec when{};
  if (timed_) {
    // Zero would be never.
    const auto left = std::max<std::int64_t>(1, moment.time_since_epoch().count());
    when.it_value = {left / 1'000'000'000, left % 1'000'000'000};
  }
  return ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0;
}

}  // namespace fairlead::guest
