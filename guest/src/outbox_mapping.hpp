// An outbox as one broker made it, with the receipts that come back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "connection.hpp"

namespace fairlead::guest {

/// The receipts of one broker's life. The broker's words; they are checked where they are used.
class ReceiptPage {
 public:
  ReceiptPage(shm::Segment segment, std::uint64_t first_number)
      : segment_(std::move(segment)),
        words_(*reinterpret_cast<const shm::ReceiptHeader*>(segment_.data())),
        first_number_(first_number) {}

  [[nodiscard]] const shm::ReceiptHeader& words() const noexcept { return words_; }
  /// Of the publishes that it has receipts for.
  [[nodiscard]] std::uint64_t first_number() const noexcept { return first_number_; }

 private:
  const shm::Segment segment_;
  const shm::ReceiptHeader& words_;
  const std::uint64_t first_number_;
};

/// Who moves in the ring is the Outbox's business.
class OutboxMapping {
 public:
  /// `descriptors`: outbox, receipts. Checks sizes, seals and headers, then maps. Throws Error:
  /// corrupt, truncated, wrong_layout, foreign_segment, protocol, out_of_memory.
  OutboxMapping(std::shared_ptr<Connection> connection, const shm::control::OutboxOpened& opened,
                std::vector<shm::UniqueFd> descriptors, std::uint64_t first_number);

  [[nodiscard]] Connection& connection() const noexcept { return *connection_; }
  [[nodiscard]] std::uint64_t ring_bytes() const noexcept { return ring_bytes_; }
  [[nodiscard]] std::byte* ring() const noexcept { return ring_; }
  [[nodiscard]] shm::OutboxHeader& header() const noexcept { return header_; }
  [[nodiscard]] const shm::ReceiptHeader& receipt() const noexcept { return receipts_->words(); }
  [[nodiscard]] const std::shared_ptr<const ReceiptPage>& receipts() const noexcept {
    return receipts_;
  }

 private:
  const std::shared_ptr<Connection> connection_;
  const std::uint64_t ring_bytes_;
  shm::Segment outbox_;
  const std::shared_ptr<const ReceiptPage> receipts_;
  shm::OutboxHeader& header_;
  std::byte* const ring_;
};

}  // namespace fairlead::guest
