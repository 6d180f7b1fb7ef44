#include "support/fake_outbox.hpp"

#include <atomic>
#include <cstring>

#include <gtest/gtest.h>

#include <fairlead/shm/futex.hpp>

#include "support/test_segment.hpp"

namespace fairlead::test {

using shm::OutboxRecord;

FakeOutbox::FakeOutbox(std::uint64_t ring_bytes, std::uint64_t first_number)
    : ring_bytes_(ring_bytes),
      outbox_(shm::Segment::create_sealed("fake-outbox", shm::kOutboxRingOffset + ring_bytes,
                                          shm::SealMode::guest_writable)),
      receipts_(shm::Segment::create_sealed("fake-receipts", sizeof(shm::ReceiptHeader),
                                            shm::SealMode::broker_written)),
      taken_number_(first_number - 1),
      acknowledged_number_(first_number - 1) {
  write_header(outbox_, shm::SegmentKind::outbox);
  receipts().ring_bytes = ring_bytes;
  receipts().accepted_number.store(acknowledged_number_, std::memory_order_relaxed);
  receipts().broker_asleep.store(1, std::memory_order_relaxed);
  write_header(receipts_, shm::SegmentKind::receipt);
}

std::optional<FakePublish> FakeOutbox::take() {
  for (;;) {
    const std::uint64_t tail = header().tail.load(std::memory_order_acquire);
    if (position_ == tail) {
      // A filler without a message behind it is passed like any other.
      receipts().accepted_bytes.store(position_, std::memory_order_release);
      return std::nullopt;
    }
    const std::uint64_t offset = position_ % ring_bytes_;
    const std::uint64_t rest = ring_bytes_ - offset;
    OutboxRecord record{};
    if (rest >= sizeof record) {
      std::memcpy(&record, outbox_.data() + shm::kOutboxRingOffset + offset, sizeof record);
    }
    if (rest < sizeof record || record.kind == shm::OutboxKind::filler) {
      if (rest >= sizeof record) {
        EXPECT_EQ(record.record_bytes, rest);
      }
      position_ += rest;
      continue;
    }
    EXPECT_EQ(record.kind, shm::OutboxKind::message);
    EXPECT_EQ(record.publish_number, taken_number_ + 1);
    EXPECT_LE(record.record_bytes, rest);
    EXPECT_GE(record.record_bytes, sizeof record + record.payload_bytes + record.topic_bytes);
    const auto* text = reinterpret_cast<const char*>(outbox_.data()) + shm::kOutboxRingOffset +
                       offset + sizeof record;
    position_ += record.record_bytes;
    taken_number_ = record.publish_number;
    return FakePublish{record.publish_number, record.block_until_nanoseconds,
                       std::string(text + record.payload_bytes, record.topic_bytes),
                       std::string(text, record.payload_bytes)};
  }
}

void FakeOutbox::acknowledge(std::uint32_t matched, std::uint32_t taken, std::uint32_t evicted,
                             shm::Refusal reason) {
  while (acknowledged_number_ < taken_number_) {
    const std::uint64_t number = ++acknowledged_number_;
    const bool newest = number == taken_number_;
    shm::Receipt& receipt = receipts().receipts[number % shm::kReceiptEntries];
    receipt.publish_number.store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    receipt.matched.store(newest ? matched : 1, std::memory_order_relaxed);
    receipt.taken.store(newest ? taken : 1, std::memory_order_relaxed);
    receipt.evicted.store(newest ? evicted : 0, std::memory_order_relaxed);
    receipt.refused.store(newest ? matched - taken : 0, std::memory_order_relaxed);
    receipt.first_refusal.store(newest ? reason : shm::Refusal::none, std::memory_order_relaxed);
    receipt.publish_number.store(number, std::memory_order_release);
  }
  receipts().accepted_bytes.store(position_, std::memory_order_relaxed);
  receipts().accepted_number.store(acknowledged_number_, std::memory_order_release);
  receipts().doorbell.fetch_add(1, std::memory_order_release);
  shm::futex_wake(receipts().doorbell, 64);
}

void FakeOutbox::set_asleep(bool asleep) {
  receipts().broker_asleep.store(asleep ? 1 : 0, std::memory_order_seq_cst);
}

}  // namespace fairlead::test
