// Vectors of views, used again and again: no allocation per drain, let alone per message. Whoever
// drains takes a place here, so the places also tell who is inside.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <fairlead/shm/message_view.hpp>

namespace fairlead::guest {

/// Thread-safe without blocking: whoever finds no place does without. So a child that was forked
/// while another thread was in here loses a place and nothing else.
class ViewPool {
  struct Place {
    std::atomic<std::uint32_t> since{0};  // generation in which its owner came; 0 = free
    std::atomic<bool> stocked{false};     // roughly
    std::vector<shm::MessageView> views;
  };

 public:
  using Views = std::vector<shm::MessageView>;

  /// Somebody inside: what was current when it came stays until it goes. For one thread.
  class Visit {
   public:
    explicit Visit(ViewPool& pool) noexcept : pool_(pool), place_(pool.enter()) {}
    ~Visit() { pool_.leave(place_); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    /// Lets go of what was looked up before.
    void begin_anew() noexcept {
      pool_.leave(place_);
      place_ = pool_.enter();
    }
    [[nodiscard]] Views take() noexcept {
      if (place_ == nullptr) return {};
      if (place_->views.capacity() == 0) pool_.refill(*place_);
      return std::move(place_->views);
    }
    void put(Views views) noexcept {
      views.clear();
      if (place_ != nullptr && views.capacity() <= kMostViews) place_->views = std::move(views);
    }

   private:
    ViewPool& pool_;
    Place* place_;
  };

  /// Of a batch that is released.
  void put(Views views) noexcept {
    if (views.capacity() > 0) Visit(*this).put(std::move(views));
  }

  /// Call after what is current was exchanged, then ask left_before() with what it returns.
  [[nodiscard]] std::uint32_t next_generation() noexcept {
    return generation_.fetch_add(1, std::memory_order_seq_cst) + 1;  // sync: view-pool
  }
  /// Whether nobody is inside any more who came before that generation.
  [[nodiscard]] bool left_before(std::uint32_t generation) const noexcept {
    return others_.load(std::memory_order_seq_cst) == 0 &&  // sync: view-pool
           std::none_of(places_.begin(), places_.end(), [&](const Place& place) {
             const std::uint32_t since = place.since.load(std::memory_order_seq_cst);
             return since != 0 && since < generation;
           });
  }

 private:
  static constexpr std::size_t kMostViews = 65'536;  // of a vector that is worth keeping

  // Who comes takes a place, then looks up what is current; who exchanges that looks at the places
  // afterwards. Each writes its own word, then reads the other's.
  [[nodiscard]] Place* enter() noexcept {
    const std::uint32_t now = generation_.load(std::memory_order_acquire);
    for (Place& place : places_) {
      std::uint32_t free = 0;
      if (place.since.load(std::memory_order_relaxed) == 0 &&
          place.since.compare_exchange_strong(free, now, std::memory_order_seq_cst)) {
        return &place;  // sync: view-pool
      }
    }
    others_.fetch_add(1, std::memory_order_seq_cst);
    return nullptr;
  }

  void leave(Place* place) noexcept {
    if (place == nullptr) {
      others_.fetch_sub(1, std::memory_order_release);
      return;
    }
    place->stocked.store(place->views.capacity() > 0, std::memory_order_relaxed);
    place->since.store(0, std::memory_order_release);  // sync: view-pool
  }

  void refill(Place& empty) noexcept {
    for (Place& place : places_) {
      std::uint32_t free = 0;
      if (!place.stocked.load(std::memory_order_relaxed) ||
          !place.since.compare_exchange_strong(free, 1, std::memory_order_acquire)) {
        continue;
      }
      empty.views = std::move(place.views);
      leave(&place);
      if (empty.views.capacity() > 0) return;
    }
  }

  std::atomic<std::uint32_t> generation_{1};
  std::atomic<std::uint32_t> others_{0};  // inside without a place
  std::array<Place, 8> places_;
};

}  // namespace fairlead::guest
