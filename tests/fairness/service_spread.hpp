// How far apart the service of two lanes ever gets, over every interval that begins and ends
// between two messages: the difference of their sums is noted after each message of either, and an
// interval is two of those notes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fairlead::test {

class ServiceSpread {
 public:
  explicit ServiceSpread(std::size_t lanes)
      : lanes_(lanes), served_(lanes), notes_(lanes * lanes) {}

  void served(std::size_t lane, std::uint64_t cost) {
    served_[lane] += static_cast<std::int64_t>(cost);
    for (std::size_t other = 0; other < lanes_; ++other) {
      if (other == lane) continue;
      Note& note = note_of(lane, other);
      const std::int64_t difference = difference_of(lane, other);
      note.lowest = std::min(note.lowest, difference);
      note.highest = std::max(note.highest, difference);
      widest_ = std::max(widest_, note.highest - note.lowest);
    }
  }
  /// The lane was empty: no interval reaches across this moment.
  void interrupt(std::size_t lane) {
    for (std::size_t other = 0; other < lanes_; ++other) {
      if (other == lane) continue;
      Note& note = note_of(lane, other);
      note.lowest = note.highest = difference_of(lane, other);
    }
  }
  /// Over all pairs so far.
  [[nodiscard]] std::uint64_t widest() const noexcept {
    return static_cast<std::uint64_t>(widest_);
  }
  [[nodiscard]] std::uint64_t least_served() const {
    return static_cast<std::uint64_t>(*std::min_element(served_.begin(), served_.end()));
  }

 private:
  struct Note {
    std::int64_t lowest = 0;
    std::int64_t highest = 0;
  };
  [[nodiscard]] Note& note_of(std::size_t one, std::size_t other) {
    return notes_[std::min(one, other) * lanes_ + std::max(one, other)];
  }
  [[nodiscard]] std::int64_t difference_of(std::size_t one, std::size_t other) const {
    return served_[std::min(one, other)] - served_[std::max(one, other)];
  }

  std::size_t lanes_;
  std::vector<std::int64_t> served_;
  std::vector<Note> notes_;
  std::int64_t widest_ = 0;
};

}  // namespace fairlead::test
