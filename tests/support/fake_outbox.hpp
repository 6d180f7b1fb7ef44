// The broker's side of one outbox, driven by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/segment.hpp>

namespace fairlead::test {

struct FakePublish {
  std::uint64_t number;
  std::uint64_t block_until_nanoseconds;
  std::string topic;
  std::string payload;
};

/// One thread at a time.
class FakeOutbox {
 public:
  /// `first_number`: of the first message; a broker that was restarted begins where the last one
  /// was.
  explicit FakeOutbox(std::uint64_t ring_bytes, std::uint64_t first_number = 1);

  /// The next message, or nothing; fillers are passed over. Fails the test on a misshapen record.
  [[nodiscard]] std::optional<FakePublish> take();
  /// Acknowledges all that was taken; the newest one gets this outcome, the others one route each.
  void acknowledge(std::uint32_t matched = 1, std::uint32_t taken = 1, std::uint32_t evicted = 0,
                   shm::Refusal reason = shm::Refusal::none);
  /// Without ringing.
  void set_asleep(bool asleep);

  [[nodiscard]] shm::UniqueFd guest_outbox() { return outbox_.duplicate_descriptor(); }
  [[nodiscard]] shm::UniqueFd guest_receipts() { return receipts_.read_only_descriptor(); }
  [[nodiscard]] std::uint64_t ring_bytes() const noexcept { return ring_bytes_; }
  [[nodiscard]] std::uint64_t outbox_bytes() const noexcept { return outbox_.size(); }
  [[nodiscard]] std::uint64_t receipt_bytes() const noexcept { return receipts_.size(); }
  [[nodiscard]] shm::ReceiptHeader& receipts() noexcept {
    return *reinterpret_cast<shm::ReceiptHeader*>(receipts_.data());
  }

 private:
  [[nodiscard]] shm::OutboxHeader& header() noexcept {
    return *reinterpret_cast<shm::OutboxHeader*>(outbox_.data());
  }

  std::uint64_t ring_bytes_;
  shm::Segment outbox_;
  shm::Segment receipts_;
  std::uint64_t position_ = 0;
  std::uint64_t taken_number_;
  std::uint64_t acknowledged_number_;
};

}  // namespace fairlead::test
