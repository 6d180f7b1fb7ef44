#include "routing/segment_hash.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>

namespace fairlead::broker {
namespace {

__extension__ using Product = unsigned __int128;

struct Key {
  std::uint64_t word;
  std::uint64_t factor;
};

Key draw_key() {
  std::random_device device;
  const auto draw = [&device] { return (std::uint64_t{device()} << 32) | device(); };
  const std::uint64_t word = draw();
  return {word, draw() | 1};
}

// Multiply and fold the halves, as wyhash does.
std::uint64_t mix(std::uint64_t left, std::uint64_t right) noexcept {
  const Product product = static_cast<Product>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::size_t hash_segment(std::string_view segment) noexcept {
  static const Key key = draw_key();
  std::uint64_t state = mix(key.word ^ segment.size(), key.factor);
  while (!segment.empty()) {
    const std::size_t taken = std::min(segment.size(), sizeof(std::uint64_t));
    std::uint64_t word = 0;
    std::memcpy(&word, segment.data(), taken);
    state = mix(state ^ word ^ key.word, key.factor);
    segment.remove_prefix(taken);
  }
  return static_cast<std::size_t>(mix(state, key.word | 1));
}

}  // namespace fairlead::broker
