// A FIFO in one growing array: what the broker's private book-keeping is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fairlead::shm {

// Unlike std::deque it owns nothing while it is new, gives any element in O(1) by one mask, and
// makes room separately from putting, so that the caller can do all that may throw before it
// changes anything. T is trivially copyable in all uses. Not thread-safe.
template <class T>
class RingQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(end_ - begin_);
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return ring_.size(); }

  [[nodiscard]] T& operator[](std::size_t index) noexcept { return ring_[slot(begin_ + index)]; }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept {
    return ring_[slot(begin_ + index)];
  }
  [[nodiscard]] T& front() noexcept { return (*this)[0]; }
  [[nodiscard]] T& back() noexcept { return (*this)[size() - 1]; }

  // Makes room for one more. May throw std::bad_alloc, nothing changed.
  void reserve_one() {
    if (size() < ring_.size()) return;
    std::vector<T> larger(ring_.empty() ? kFirst : ring_.size() * 2);
    for (std::size_t each = 0; each < size(); ++each) larger[each] = (*this)[each];
    end_ = size();
    begin_ = 0;
    ring_.swap(larger);
  }
  // After reserve_one().
  void put(const T& value) noexcept { ring_[slot(end_++)] = value; }
  void push_back(const T& value) {
    reserve_one();
    put(value);
  }

  void pop_front() noexcept { ++begin_; }
  void drop_front(std::size_t count) noexcept { begin_ += count; }
  void truncate(std::size_t count) noexcept { end_ = begin_ + count; }
  // Empties it and keeps at most `keep` elements' memory.
  void clear(std::size_t keep = 0) noexcept {
    begin_ = end_ = 0;
    if (ring_.size() > keep) std::vector<T>().swap(ring_);
  }

 private:
  static constexpr std::size_t kFirst = 4;

  [[nodiscard]] std::size_t slot(std::uint64_t number) const noexcept {
    return static_cast<std::size_t>(number) & (ring_.size() - 1);
  }

  std::vector<T> ring_;  // a power of two
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace fairlead::shm
