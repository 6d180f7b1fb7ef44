#include "support/numbered_message.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace fairlead::test {
namespace {

// splitmix64 (Steele, Lea and Flood 2014).
std::uint64_t next(std::uint64_t& state) noexcept {
  std::uint64_t mixed = state += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

std::size_t size_of(std::uint64_t& state, std::size_t most_bytes) noexcept {
  const std::uint64_t kind = next(state) % 64;
  const std::size_t most = kind == 0 ? most_bytes : kind < 48 ? 256 : 1'024;
  return std::max<std::size_t>(sizeof(NumberedMessage), next(state) % most);
}

}  // namespace

std::span<const std::byte> NumberedMessages::make(NumberedMessage message) {
  std::uint64_t state = seed_;
  state = next(state) ^ message.stream;
  state = next(state) ^ message.number;
  // In steps of eight bytes; the rest is cut off.
  const std::size_t size = size_of(state, most_bytes_);
  bytes_.resize((size + 7) / 8 * 8);
  std::memcpy(bytes_.data(), &message, sizeof message);
  for (std::size_t at = sizeof message; at < bytes_.size(); at += 8) {
    const std::uint64_t word = next(state);
    std::memcpy(bytes_.data() + at, &word, sizeof word);
  }
  return std::span(bytes_).first(size);
}

std::optional<NumberedMessage> NumberedMessages::read(std::span<const std::byte> payload) {
  NumberedMessage message;
  if (payload.size() < sizeof message) return std::nullopt;
  std::memcpy(&message, payload.data(), sizeof message);
  return std::ranges::equal(payload, make(message)) ? std::optional(message) : std::nullopt;
}

}  // namespace fairlead::test
