// epoll with times in nanoseconds, and a way to wake it from other threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <fairlead/shm/unique_fd.hpp>

struct epoll_event;

namespace fairlead::broker {

// One thread waits; add, remove and wake may be called from any. The wake-up descriptor is ours
// alone: an eventfd that a guest held could block its writer.
class EventLoop {
 public:
  static constexpr std::uint64_t kWake = 0;  // the tag of a wake-up; never returned

  EventLoop();

  /// Level-triggered readability (and hang-up) of `descriptor`, reported as `tag`. Throws Error.
  void add(int descriptor, std::uint64_t tag);
  void remove(int descriptor) noexcept;

  /// Waits until something is readable, wake() was called or the time is up; nothing: no time-out.
  /// Returns how many tags were written; wake-ups are taken care of here.
  std::size_t wait(std::span<std::uint64_t> tags, std::optional<std::uint64_t> nanoseconds);

  /// Async-signal-safe, never blocks.
  void wake() noexcept;

 private:
  int wait_for_events(epoll_event* events, int most, std::optional<std::uint64_t> nanoseconds);

  shm::UniqueFd epoll_;
  shm::UniqueFd wake_;
  bool fine_timing_ = true;  // epoll_pwait2 (Linux 5.11)
};

}  // namespace fairlead::broker
