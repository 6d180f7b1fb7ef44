// A keyed hash of topic segments. Subscribers choose the segments that the trie stores: with a hash
// they can compute, a few hundred chosen patterns would share a bucket and slow every publish.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fairlead::broker {

/// Keyed with randomness drawn once per process; never store or transmit the value.
[[nodiscard]] std::size_t hash_segment(std::string_view segment) noexcept;

// A segment whose hash is known: one hashing serves the look-ups of every node at its depth.
struct HashedSegment {
  std::string_view text;
  std::size_t hash = 0;
};

struct SegmentHash {
  using is_transparent = void;
  std::size_t operator()(const std::string& segment) const noexcept {
    return hash_segment(segment);
  }
  std::size_t operator()(const HashedSegment& segment) const noexcept { return segment.hash; }
};

struct SegmentEqual {
  using is_transparent = void;
  bool operator()(const std::string& left, const std::string& right) const noexcept {
    return left == right;
  }
  bool operator()(const HashedSegment& left, const std::string& right) const noexcept {
    return left.text == right;
  }
  bool operator()(const std::string& left, const HashedSegment& right) const noexcept {
    return left == right.text;
  }
};

}  // namespace fairlead::broker
