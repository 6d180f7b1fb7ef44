// Control packets of a stranger: nothing is used before its size, kind and texts were checked.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/fixed_text.hpp>

namespace fairlead::broker {

/// The header, if the packet is one and says its true size.
[[nodiscard]] inline std::optional<shm::control::Header> header_of(
    std::span<const std::byte> packet) noexcept {
  shm::control::Header header;
  if (packet.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, packet.data(), sizeof header);
  if (header.packet_bytes != packet.size()) return std::nullopt;
  return header;
}

/// The packet as a `Packet`, if it has exactly that size.
template <class Packet>
[[nodiscard]] std::optional<Packet> packet_as(std::span<const std::byte> bytes) noexcept {
  static_assert(shm::control::kIsPacket<Packet>);
  if (bytes.size() != sizeof(Packet)) return std::nullopt;
  Packet packet;
  std::memcpy(&packet, bytes.data(), sizeof packet);
  return packet;
}

/// False for a text that claims to be longer than its field.
template <std::size_t Capacity>
[[nodiscard]] bool bounded(const shm::FixedText<Capacity>& text) noexcept {
  return text.length <= Capacity;
}

/// A packet of zeros with its header filled in.
template <class Packet>
[[nodiscard]] Packet make_packet(shm::control::Kind kind, std::uint64_t request) noexcept {
  Packet packet;
  std::memset(static_cast<void*>(&packet), 0, sizeof packet);
  packet.header = {kind, sizeof(Packet), request};
  return packet;
}

template <class Packet>
[[nodiscard]] std::span<const std::byte> bytes_of(const Packet& packet) noexcept {
  return std::as_bytes(std::span(&packet, 1));
}

/// As much of `text` as fits.
template <std::size_t Capacity>
void assign_cut(shm::FixedText<Capacity>& field, std::string_view text) noexcept {
  field.assign(text.substr(0, Capacity));
}

}  // namespace fairlead::broker
