// Messages whose every byte follows from the stream that they belong to and their number in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fairlead::test {

struct NumberedMessage {
  std::uint64_t stream = 0;
  std::uint64_t number = 0;
};

/// Mostly some hundred bytes, seldom up to `most_bytes` (at least 1,024). The seed decides, so that
/// two runs differ in sizes and content.
class NumberedMessages {
 public:
  NumberedMessages(std::uint64_t seed, std::size_t most_bytes) noexcept
      : seed_(seed), most_bytes_(most_bytes) {}

  /// Good until the next call.
  [[nodiscard]] std::span<const std::byte> make(NumberedMessage message);
  /// Which one it is; nothing if it is not byte for byte one of ours.
  [[nodiscard]] std::optional<NumberedMessage> read(std::span<const std::byte> payload);

 private:
  std::uint64_t seed_;
  std::size_t most_bytes_;
  std::vector<std::byte> bytes_;
};

}  // namespace fairlead::test
