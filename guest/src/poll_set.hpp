// A descriptor that stays the same while what lies behind it changes.
#pragma once

#include <atomic>
#include <chrono>

#include <fairlead/shm/unique_fd.hpp>

#include "deadline.hpp"

namespace fairlead::guest {

/// For poll() and epoll, POLLIN. Readable when something may have come: the wake-up socket says so,
/// the broker hung up, or a moment has come. One thread at a time.
class PollSet {
 public:
  /// Throws Error (limit).
  PollSet();

  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }
  /// Watches these two and nothing else, -1 being none. They stay open until something else is
  /// watched, or nothing: an entry lives as long as any second descriptor of its file. False, with
  /// errno, when the kernel has no memory for it: then it is readable soon, for watch_again().
  bool watch(int wake_up, int connection) noexcept;
  /// Whether the last watch() came to less than it should. Thread-safe.
  [[nodiscard]] bool incomplete() const noexcept {
    return incomplete_.load(std::memory_order_relaxed);
  }
  void watch_again() noexcept;
  /// Watches nothing any more, and is readable from that moment on. Where the kernel gives no timer
  /// (a sandbox), it goes on as it was: a hang-up is readable at once.
  void rest_until(SteadyTime moment) noexcept;
  void rouse() noexcept { set_timer(std::chrono::steady_clock::now()); }

 private:
  bool set_timer(SteadyTime moment) noexcept;
  void drop() noexcept;

  shm::UniqueFd epoll_;
  shm::UniqueFd timer_;
  int wake_up_ = -1;  // watched, or to be
  int connection_ = -1;
  bool timed_ = false;
  std::atomic<bool> incomplete_{false};
};

}  // namespace fairlead::guest
