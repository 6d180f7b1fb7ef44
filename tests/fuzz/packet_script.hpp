// A fuzzer's bytes as packets of the control protocol: mostly well-formed ones of which some bytes
// are something else, because random bytes never get past the first check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/layout/layout_hash.hpp>

namespace fairlead::fuzz {

namespace control = shm::control;

class PacketScript {
 public:
  explicit PacketScript(std::span<const std::uint8_t> input) : input_(input) {}

  [[nodiscard]] bool at_end() const noexcept { return input_.empty(); }
  std::uint8_t byte() {
    if (input_.empty()) return 0;
    const std::uint8_t value = input_.front();
    input_ = input_.subspan(1);
    return value;
  }

  /// A count of patches, three bytes each: where (16 bits), what. `well_formed` is what they go
  /// into; with a count above 127 that many raw bytes are the packet instead.
  std::vector<std::byte> packet(std::vector<std::byte> well_formed) {
    const std::uint8_t count = byte();
    if (count > 127) {
      std::vector<std::byte> raw(count - 127U);
      for (auto& each : raw) each = static_cast<std::byte>(byte());
      return raw;
    }
    for (std::uint8_t patch = 0; patch < count % 16 && !at_end(); ++patch) {
      const std::size_t at = byte() | static_cast<std::size_t>(byte()) << 8U;
      well_formed[at % well_formed.size()] = static_cast<std::byte>(byte());
    }
    if (count >= 64)
      well_formed.resize(well_formed.size() -
                         std::min<std::size_t>(count - 63U, well_formed.size()));
    return well_formed;
  }

  template <class Packet>
  static std::vector<std::byte> bytes_of(Packet packet, control::Kind kind, std::uint64_t request) {
    packet.header = {kind, sizeof packet, request};
    const auto view = std::as_bytes(std::span(&packet, 1));
    return {view.begin(), view.end()};
  }

 private:
  std::span<const std::uint8_t> input_;
};

/// All zero, padding too.
template <class Packet>
Packet blank() {
  Packet packet;
  std::memset(static_cast<void*>(&packet), 0, sizeof packet);
  return packet;
}

}  // namespace fairlead::fuzz
