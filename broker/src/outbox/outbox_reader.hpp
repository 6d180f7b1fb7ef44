// Reads a guest's outbox. The memory is a sealed memfd that the guest writes at any moment: nothing
// in it is believed, every word is fetched once, every size is bounded by what only we know.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>

namespace fairlead::broker {

// One publish as the guest wrote it; the sizes fit the ring, the rest is unchecked.
struct OutboxMessage {
  std::uint64_t publish_number = 0;
  std::uint64_t block_until_nanoseconds = 0;  // CLOCK_MONOTONIC; 0 = do not block (R21)
  std::string_view topic;                     // a private copy, good until the next peek()
  std::span<const std::byte> payload;         // in the outbox: the guest may still change its bytes
};

// Not thread-safe, throws nothing, waits for nothing.
class OutboxReader {
 public:
  enum class Peek : std::uint8_t { message, nothing, violation };

  /// `segment` holds kOutboxRingOffset + `ring_bytes` bytes and outlives the reader; `ring_bytes`
  /// is a power of two. The first message must carry the number `first_number`.
  OutboxReader(const std::byte* segment, std::uint64_t ring_bytes,
               std::uint64_t first_number = 1) noexcept;

  /// The oldest message that was not consumed. The same one, without a further look at the guest's
  /// memory, until consume(). After a violation: a violation for ever.
  [[nodiscard]] Peek peek() noexcept;
  [[nodiscard]] const OutboxMessage& message() const noexcept { return message_; }
  void consume() noexcept;

  /// A look at the tail alone: whether peek() would have something to do.
  [[nodiscard]] bool pending() const noexcept;

  /// Ring bytes passed so far, fillers included; what the guest may overwrite.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  /// What the guest did that no honest one does; empty while there is nothing.
  [[nodiscard]] std::string_view violation() const noexcept { return violation_; }

 private:
  [[nodiscard]] Peek refuse(std::string_view reason) noexcept;
  [[nodiscard]] bool load_tail() noexcept;
  [[nodiscard]] Peek read_record() noexcept;
  [[nodiscard]] Peek read_message(const shm::OutboxRecord& record, std::uint64_t offset,
                                  std::uint64_t available) noexcept;

  const shm::OutboxHeader& header_;
  const std::byte* ring_;
  std::uint64_t ring_bytes_;
  std::uint64_t position_ = 0;  // consumed
  std::uint64_t tail_ = 0;      // checked
  std::uint64_t next_number_;
  std::uint64_t peeked_bytes_ = 0;  // of the message in message_; 0 = none
  OutboxMessage message_;
  // One byte more than allowed, so that a topic that is too long is still seen to be.
  std::array<char, shm::kMaximumTopicBytes + 1> topic_{};
  std::string_view violation_;
};

}  // namespace fairlead::broker
