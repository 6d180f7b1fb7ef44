#include "outbox/receipt_writer.hpp"

#include <atomic>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/futex.hpp>

#include "attach/segment_stamp.hpp"

namespace fairlead::broker {
namespace {

template <class T>
void show(std::atomic<T>& word, T value) noexcept {
  word.store(value, std::memory_order_relaxed);
}

}  // namespace

void ReceiptWriter::acknowledge(std::uint64_t number, const PublishReport& report,
                                std::uint64_t position) noexcept {
  shm::Receipt& receipt = header_.receipts[number % shm::kReceiptEntries];
  // The slot's old number goes first: a reader that comes late sees that it came late.
  show(receipt.publish_number, std::uint64_t{0});
  std::atomic_thread_fence(std::memory_order_release);
  show(receipt.matched, report.matched);
  show(receipt.taken, report.taken);
  show(receipt.evicted, report.evicted);
  show(receipt.refused, report.refused);
  show(receipt.first_refusal, report.reason);
  receipt.publish_number.store(number, std::memory_order_release);
  header_.accepted_bytes.store(position, std::memory_order_release);  // sync: accepted-bytes
  header_.accepted_number.store(number, std::memory_order_release);   // sync: receipt
  moved_ = true;
}

void ReceiptWriter::pass(std::uint64_t position) noexcept {
  header_.accepted_bytes.store(position, std::memory_order_release);  // sync: accepted-bytes
  moved_ = true;
}

void ReceiptWriter::ring() noexcept {
  if (!moved_) return;
  moved_ = false;
  header_.doorbell.store(++doorbell_, std::memory_order_release);
  shm::futex_wake(header_.doorbell, static_cast<int>(shm::kMaximumWakesPerSignal));
}

void ReceiptWriter::set_asleep(bool asleep) noexcept {
  header_.broker_asleep.store(asleep ? 1 : 0, std::memory_order_seq_cst);  // sync: broker-asleep
}

void format_receipts(std::byte* segment, std::uint64_t outbox_id, std::uint64_t ring_bytes,
                     std::uint64_t first_number, const shm::SegmentHeader& stamp) {
  auto& header = *reinterpret_cast<shm::ReceiptHeader*>(segment);
  header.outbox_id = outbox_id;
  header.ring_bytes = ring_bytes;
  show(header.broker_asleep, std::uint32_t{1});
  show(header.accepted_number, first_number - 1);
  publish_header(header.segment, shm::SegmentKind::receipt, stamp);
}

}  // namespace fairlead::broker
