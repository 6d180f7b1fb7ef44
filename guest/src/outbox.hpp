// The guest's outbox and the receipts that come back: two mappings and the rules of moving in them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include <fairlead/guest/publisher.hpp>
#include <fairlead/shm/segment.hpp>

#include "connection.hpp"

namespace fairlead::guest {

/// Thread-safe. The outbox's words are written here and never read back; the receipts' are the
/// broker's, and checked.
class Outbox {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  /// `descriptors`: outbox, receipts. Checks sizes, seals and headers, then maps. Throws Error:
  /// corrupt, truncated, wrong_layout, foreign_segment, protocol, out_of_memory.
  Outbox(std::shared_ptr<Connection> connection, const shm::control::OutboxOpened& opened,
         std::vector<shm::UniqueFd> descriptors);

  PublishOutcome publish(std::string_view topic, std::span<const std::byte> payload,
                         const PublishOptions& options) noexcept;
  [[nodiscard]] PublishOutcome outcome(std::uint64_t number) noexcept;
  [[nodiscard]] FlushOutcome flush(std::chrono::nanoseconds timeout) noexcept;
  [[nodiscard]] std::uint64_t newest_number() noexcept;
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

 private:
  enum class Room : std::uint8_t { yes, no, corrupt };
  enum class Waited : std::uint8_t { rang, timed_out, gone };

  struct Entry {  // one message on its way into the ring
    std::string_view topic;
    std::span<const std::byte> payload;
    std::uint64_t record_bytes;
    std::uint64_t block_until_nanoseconds;
  };

  [[nodiscard]] PublishStatus enter(const Entry& entry, Deadline deadline,
                                    std::uint64_t& number) noexcept;
  [[nodiscard]] Room make_room(std::uint64_t record_bytes) noexcept;
  void write(const Entry& entry) noexcept;
  void write_filler(std::uint64_t rest) noexcept;
  [[nodiscard]] bool show_tail() noexcept;
  [[nodiscard]] PublishStatus wait_for_receipt(std::uint64_t number, Deadline deadline) noexcept;
  [[nodiscard]] Waited wait_until(std::uint32_t seen_doorbell, Deadline deadline) noexcept;

  const std::shared_ptr<Connection> connection_;
  const std::uint64_t id_;
  const std::uint64_t ring_bytes_;
  const HomeProcess home_;
  const shm::Segment outbox_;
  const shm::Segment receipts_;
  shm::OutboxHeader& header_;
  const shm::ReceiptHeader& receipt_;
  std::byte* const ring_;

  std::mutex mutex_;
  std::uint64_t tail_ = 0;           // guarded by mutex_, as is the next
  std::uint64_t newest_number_ = 0;  // given out
};

}  // namespace fairlead::guest
