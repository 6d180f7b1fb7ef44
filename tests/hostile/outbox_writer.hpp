// Writes an outbox's ring as an honest guest does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <fairlead/shm/layout/outbox_layout.hpp>

namespace fairlead::hostile {

class OutboxWriter {
 public:
  OutboxWriter() = default;
  OutboxWriter(std::byte* segment, std::uint64_t ring_bytes) noexcept
      : segment_(segment), ring_bytes_(ring_bytes) {}

  /// False when there is no room behind `consumed`, the ring position up to which it was read.
  bool write(std::uint64_t consumed, std::span<const std::byte> payload, std::string_view topic) {
    const std::uint64_t bytes =
        (sizeof(shm::OutboxRecord) + payload.size() + topic.size() + 15) / 16 * 16;
    const std::uint64_t rest = ring_bytes_ - tail_ % ring_bytes_;
    const std::uint64_t filler = rest < bytes ? rest : 0;
    if (tail_ - consumed + filler + bytes > ring_bytes_) return false;
    if (filler >= sizeof(shm::OutboxRecord))
      put({static_cast<std::uint32_t>(filler), shm::OutboxKind::filler, 0, 0, 0, 0});
    tail_ += filler;
    std::byte* const at = put({static_cast<std::uint32_t>(bytes), shm::OutboxKind::message,
                               static_cast<std::uint32_t>(payload.size()),
                               static_cast<std::uint32_t>(topic.size()), ++number_, 0});
    if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
    std::memcpy(at + payload.size(), topic.data(), topic.size());
    tail_ += bytes;
    reinterpret_cast<shm::OutboxHeader*>(segment_)->tail.store(tail_, std::memory_order_release);
    return true;
  }

  [[nodiscard]] std::uint64_t tail() const noexcept { return tail_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }  // of the newest message

 private:
  /// Returns where the payload goes.
  std::byte* put(const shm::OutboxRecord& record) noexcept {
    std::byte* const at = segment_ + shm::kOutboxRingOffset + tail_ % ring_bytes_;
    std::memcpy(at, &record, sizeof record);
    return at + sizeof record;
  }

  std::byte* segment_ = nullptr;
  std::uint64_t ring_bytes_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace fairlead::hostile
