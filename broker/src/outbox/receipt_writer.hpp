// Tells a publishing guest what became of its messages. We write, the guest maps read-only.
#pragma once

#include <cstddef>
#include <cstdint>

#include <fairlead/broker/publish.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>

namespace fairlead::broker {

// Not thread-safe; nothing here waits. A receipt is a promise (R34): write it only once every
// matching route has the message or has refused it.
class ReceiptWriter {
 public:
  /// `segment` was formatted by format_receipts() and outlives the writer.
  explicit ReceiptWriter(std::byte* segment) noexcept
      : header_(*reinterpret_cast<shm::ReceiptHeader*>(segment)) {}

  /// The outcome of publish `number`, and that everything before ring position `position` is done.
  void acknowledge(std::uint64_t number, const PublishReport& report,
                   std::uint64_t position) noexcept;
  /// Ring bytes without a message (a filler) were passed.
  void pass(std::uint64_t position) noexcept;
  /// Wakes whoever waits for what was acknowledged since the last time; one system call at most.
  void ring() noexcept;

  /// With true: the guest must send a kick for its next message. Look at the outbox once more
  /// afterwards, see is_idle_after() in outbox_service.cpp.
  void set_asleep(bool asleep) noexcept;

 private:
  shm::ReceiptHeader& header_;
  std::uint32_t doorbell_ = 0;
  bool moved_ = false;
};

/// Writes the header of a new receipt segment (all zero before) and publishes its version word.
/// Everything below `first_number` counts as acknowledged.
void format_receipts(std::byte* segment, std::uint64_t outbox_id, std::uint64_t ring_bytes,
                     std::uint64_t first_number, const shm::SegmentHeader& stamp);

}  // namespace fairlead::broker
