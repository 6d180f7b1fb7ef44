// A sequence counter around words that one process writes and others want to see consistently
// (Lamport 1977; Boehm, "Can seqlocks get along with programming language memory models", 2012).
#pragma once

#include <atomic>
#include <cstdint>

namespace fairlead::shm {

// Writer's side: odd while alive. One writer; nests not. The guarded words are relaxed atomics.
class SnapshotGuard {
 public:
  explicit SnapshotGuard(std::atomic<std::uint32_t>& counter) noexcept
      : counter_(counter), start_(counter.load(std::memory_order_relaxed) | 1U) {
    counter_.store(start_, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  SnapshotGuard(const SnapshotGuard&) = delete;
  SnapshotGuard& operator=(const SnapshotGuard&) = delete;
  ~SnapshotGuard() { counter_.store(start_ + 1, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t>& counter_;
  std::uint32_t start_;
};

// Reader's side: runs `read` until it saw one state, at most `attempts` times. False when the
// writer never held still, or died in the middle of a change: the values of the last attempt may be
// mixed.
template <class Read>
[[nodiscard]] bool read_snapshot(const std::atomic<std::uint32_t>& counter, int attempts,
                                 Read&& read) noexcept {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::uint32_t before = counter.load(std::memory_order_acquire);
    read();
    std::atomic_thread_fence(std::memory_order_acquire);
    if ((before & 1U) == 0 && counter.load(std::memory_order_relaxed) == before) return true;
  }
  return false;
}

}  // namespace fairlead::shm
