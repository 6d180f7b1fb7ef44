// What earlier epochs pushed into a route, by outbox: a message that is sent again is dropped if it
// is among that (R34).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::broker {

// An outbox has one message without a receipt at most, its newest, so one number per outbox tells
// all. Not thread-safe.
class KnownPushes {
 public:
  /// Throws std::bad_alloc.
  void add(const shm::PushMark& push) {
    std::uint64_t& number = numbers_[push.outbox];
    number = std::max(number, push.number);
  }
  [[nodiscard]] bool cover(std::uint64_t outbox, std::uint64_t number) const noexcept {
    if (numbers_.empty() || outbox == 0) return false;
    const auto found = numbers_.find(outbox);
    return found != numbers_.end() && number <= found->second;
  }
  [[nodiscard]] std::vector<shm::PushMark> marks() const {
    std::vector<shm::PushMark> all;
    for (const auto& [outbox, number] : numbers_) all.push_back({outbox, number});
    return all;
  }
  [[nodiscard]] std::size_t size() const noexcept { return numbers_.size(); }
  [[nodiscard]] bool empty() const noexcept { return numbers_.empty(); }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> numbers_;
};

}  // namespace fairlead::broker
