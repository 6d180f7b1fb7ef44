// A message where it lies: in the route segment, mapped read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <fairlead/shm/layout/record_layout.hpp>

namespace fairlead::shm {

// Valid while the batch (or hold) it came from lives. All sizes were checked against the mapping
// when the message was taken. Trivially copyable; copying it copies no payload.
class MessageView {
 public:
  MessageView(const RecordHeader& record, const ChunkHeader& chunk, std::uint64_t lost_messages,
              std::uint64_t lost_bytes) noexcept
      : record_(&record), chunk_(&chunk), lost_messages_(lost_messages), lost_bytes_(lost_bytes) {}

  [[nodiscard]] std::span<const std::byte> payload() const noexcept {
    return {reinterpret_cast<const std::byte*>(record_ + 1), record_->payload_bytes};
  }
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(record_ + 1), record_->payload_bytes};
  }
  [[nodiscard]] std::string_view topic() const noexcept {
    return {reinterpret_cast<const char*>(record_ + 1) + record_->payload_bytes,
            record_->topic_bytes};
  }
  // Empty: `system`.
  [[nodiscard]] std::string_view principal() const noexcept {
    return {reinterpret_cast<const char*>(chunk_ + 1), chunk_->principal_bytes};
  }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return record_->sequence; }
  // CLOCK_MONOTONIC, nanoseconds, read by the broker.
  [[nodiscard]] std::uint64_t published_nanoseconds() const noexcept {
    return record_->published_nanoseconds;
  }
  // Outbox id of the publishing guest, 0 for the embedding host; never reused.
  [[nodiscard]] std::uint64_t publisher() const noexcept { return record_->publisher; }
  [[nodiscard]] std::uint64_t publish_number() const noexcept { return record_->publish_number; }
  // Messages (and their cost in bytes) of this lane that were evicted right before this one (R29).
  [[nodiscard]] std::uint64_t lost_messages() const noexcept { return lost_messages_; }
  [[nodiscard]] std::uint64_t lost_bytes() const noexcept { return lost_bytes_; }
  // Payload plus topic: what budget and deficit are charged (R15).
  [[nodiscard]] std::uint64_t cost() const noexcept {
    return std::uint64_t{record_->payload_bytes} + record_->topic_bytes;
  }
  // The lane's slot in this route; means nothing elsewhere.
  [[nodiscard]] std::uint32_t lane() const noexcept { return record_->lane; }
  [[nodiscard]] const ChunkHeader& chunk() const noexcept { return *chunk_; }

 private:
  const RecordHeader* record_;
  const ChunkHeader* chunk_;
  std::uint64_t lost_messages_;
  std::uint64_t lost_bytes_;
};

}  // namespace fairlead::shm
