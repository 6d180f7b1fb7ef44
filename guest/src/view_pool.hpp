// Vectors of views, used again and again: no allocation per drain, let alone per message.
#pragma once

#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include <fairlead/shm/message_view.hpp>

namespace fairlead::guest {

/// Thread-safe without blocking: whoever finds it busy does without. So a child that was forked
/// while another thread was in here loses the pool and nothing else.
class ViewPool {
 public:
  using Views = std::vector<shm::MessageView>;

  [[nodiscard]] Views take() noexcept {
    Views views;
    if (busy_.test_and_set(std::memory_order_acquire)) return views;  // sync: view-pool
    if (kept_ > 0) views = std::move(spare_[--kept_]);
    busy_.clear(std::memory_order_release);  // sync: view-pool
    return views;
  }

  void put(Views views) noexcept {
    views.clear();
    if (views.capacity() > kMostViews || busy_.test_and_set(std::memory_order_acquire)) return;
    if (kept_ < spare_.size()) spare_[kept_++] = std::move(views);
    busy_.clear(std::memory_order_release);
  }

 private:
  static constexpr std::size_t kMostViews = 65'536;  // of a vector that is worth keeping

  std::atomic_flag busy_;
  std::array<Views, 8> spare_;
  std::size_t kept_ = 0;
};

}  // namespace fairlead::guest
