// How many processes of a guest, and subscriptions within them, map a route. The one that leaves
// last may tell the broker that nobody reads there any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace fairlead::guest {

/// Process-safe. A view of CursorHeader::mappings. A worker that is killed never leaves, so then
/// nobody is the last: the route's memory stays until the guest is gone. Forked children are not
/// counted for what they inherit.
class MappingCount {
 public:
  explicit MappingCount(std::atomic<std::uint32_t>& count) noexcept : count_(count) {}

  /// Who subscribed comes first, before anybody can have a share.
  void begin() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }

  /// False when the last one has left: then the memory may be gone as well.
  [[nodiscard]] bool join() noexcept {
    std::uint32_t mappings = count_.load(std::memory_order_relaxed);
    do {
      if (mappings == 0 || mappings == std::numeric_limits<std::uint32_t>::max()) return false;
    } while (!count_.compare_exchange_weak(mappings, mappings + 1, std::memory_order_relaxed));
    return true;
  }

  /// True for the last one.
  [[nodiscard]] bool leave() noexcept {
    if (count_.fetch_sub(1, std::memory_order_release) != 1) return false;  // sync: mappings
    std::atomic_thread_fence(std::memory_order_acquire);                    // sync: mappings
    return true;
  }

 private:
  std::atomic<std::uint32_t>& count_;
};

}  // namespace fairlead::guest
