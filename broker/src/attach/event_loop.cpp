#include "attach/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#include <fairlead/shm/error.hpp>

namespace fairlead::broker {
namespace {

constexpr int kWakeAttempts = 3;

}  // namespace

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_ || !wake_) throw_system("cannot make an event loop");
  add(wake_.get(), kWake);
}

void EventLoop::add(int descriptor, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
    throw_system("cannot watch a socket");
}

void EventLoop::remove(int descriptor) noexcept {
  epoll_event unused{};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, &unused);
}

int EventLoop::wait_for_events(epoll_event* events, int most,
                               std::optional<std::uint64_t> nanoseconds) {
  constexpr std::uint64_t kPerSecond = 1'000'000'000;
  constexpr std::uint64_t kPerMillisecond = 1'000'000;
  if (fine_timing_) {
    timespec time{};
    if (nanoseconds) {
      time.tv_sec = static_cast<time_t>(*nanoseconds / kPerSecond);
      time.tv_nsec = static_cast<long>(*nanoseconds % kPerSecond);
    }
    const int ready =
        ::epoll_pwait2(epoll_.get(), events, most, nanoseconds ? &time : nullptr, nullptr);
    if (ready >= 0 || errno != ENOSYS) return ready;
    fine_timing_ = false;
  }
  int milliseconds = -1;
  if (nanoseconds) {
    const std::uint64_t up = *nanoseconds / kPerMillisecond + (*nanoseconds % kPerMillisecond != 0);
    milliseconds = static_cast<int>(std::min<std::uint64_t>(up, INT_MAX));
  }
  return ::epoll_wait(epoll_.get(), events, most, milliseconds);
}

std::size_t EventLoop::wait(std::span<std::uint64_t> tags,
                            std::optional<std::uint64_t> nanoseconds) {
  std::array<epoll_event, 64> events{};
  const auto most = static_cast<int>(std::min(tags.size(), events.size()));
  const int ready = wait_for_events(events.data(), most, nanoseconds);
  std::size_t count = 0;
  for (int index = 0; index < ready; ++index) {
    const std::uint64_t tag = events[static_cast<std::size_t>(index)].data.u64;
    if (tag != kWake) {
      tags[count++] = tag;
      continue;
    }
    std::uint64_t ignored = 0;
    (void)!::read(wake_.get(), &ignored, sizeof ignored);
  }
  return count;
}

// Once more if the kernel has a bad moment: the loop may sleep for ever. A full counter has woken
// it.
void EventLoop::wake() noexcept {
  const std::uint64_t one = 1;
  for (int attempt = 0; attempt < kWakeAttempts; ++attempt) {
    if (::write(wake_.get(), &one, sizeof one) >= 0 || errno == EAGAIN) return;
  }
}

}  // namespace fairlead::broker
