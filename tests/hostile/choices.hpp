// Where the decisions of a hostile run come from: a seed, or a fuzzer's input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>

namespace fairlead::hostile {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : random_(seed) {}
  explicit Choices(std::span<const std::uint8_t> input) : input_(input), from_input_(true) {}

  /// An input ends; a seed never does. Zeros follow.
  [[nodiscard]] bool exhausted() const noexcept { return from_input_ && input_.empty(); }

  std::uint64_t word() { return bytes(8); }
  std::uint64_t below(std::uint64_t limit) {
    return bytes(limit <= 256 ? 1 : limit <= 65'536 ? 2 : 8) % std::max<std::uint64_t>(limit, 1);
  }
  bool one_in(std::uint64_t times) { return below(times) == 1 % times; }

 private:
  std::uint64_t bytes(std::size_t count) {
    if (!from_input_) return random_();
    std::uint64_t value = 0;
    for (; count > 0 && !input_.empty(); --count, input_ = input_.subspan(1))
      value = value << 8 | input_.front();
    return value;
  }

  std::mt19937_64 random_;
  std::span<const std::uint8_t> input_;
  bool from_input_ = false;
};

}  // namespace fairlead::hostile
