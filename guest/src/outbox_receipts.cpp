// What became of what was published.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include <fairlead/shm/constants.hpp>

#include "deadline.hpp"
#include "outbox.hpp"

namespace fairlead::guest {

PublishOutcome Outbox::outcome(std::uint64_t number) noexcept {
  PublishOutcome result;
  // Whoever publishes holds this lock, so nobody reuses the receipt while it is read.
  const std::lock_guard guard(mutex_);
  if (number == 0 || number > newest_number_) return result;
  result.number = number;
  const ReceiptPage* page = mapping_->receipts().get();
  // What came before was accepted; by a broker too many lives ago, nobody knows with what.
  const bool earlier = number < page->first_number();
  if (earlier) page = earlier_page_of(number);
  if (newest_number_ - number >= shm::kReceiptEntries || page == nullptr) {
    result.status = PublishStatus::forgotten;
    return result;
  }
  const shm::ReceiptHeader& words = page->words();
  if (!earlier &&
      words.accepted_number.load(std::memory_order_acquire) < number) {  // sync: receipt
    const bool gone = mapping_->connection().gone() && lost();
    result.status = gone ? PublishStatus::disconnected : PublishStatus::pending;
    return result;
  }
  const shm::Receipt& receipt = words.receipts[number % shm::kReceiptEntries];
  const bool ours = receipt.publish_number.load(std::memory_order_acquire) == number;
  result.status = ours ? PublishStatus::acknowledged : PublishStatus::corrupt;
  if (!ours) return result;
  result.matched = receipt.matched.load(std::memory_order_relaxed);
  result.taken = receipt.taken.load(std::memory_order_relaxed);
  result.evicted = receipt.evicted.load(std::memory_order_relaxed);
  result.refused = receipt.refused.load(std::memory_order_relaxed);
  result.reason = receipt.first_refusal.load(std::memory_order_relaxed);
  return result;
}

const ReceiptPage* Outbox::earlier_page_of(std::uint64_t number) const noexcept {
  const auto page = std::find_if(earlier_receipts_.rbegin(), earlier_receipts_.rend(),
                                 [&](const auto& each) { return each->first_number() <= number; });
  return page == earlier_receipts_.rend() ? nullptr : page->get();
}

PublishStatus Outbox::wait_for_receipt(std::uint64_t number, Mapping mapping,
                                       SteadyTime deadline) noexcept {
  for (;;) {
    const shm::ReceiptHeader& receipt = mapping->receipt();
    const std::uint32_t doorbell = receipt.doorbell.load(std::memory_order_acquire);
    if (receipt.accepted_number.load(std::memory_order_acquire) >= number) {  // sync: receipt
      return PublishStatus::acknowledged;
    }
    switch (wait_until(*mapping, doorbell, deadline)) {
      case Waited::rang:
        break;
      case Waited::timed_out:
        return PublishStatus::pending;
      case Waited::gone:
        if (!come_back(deadline)) return PublishStatus::disconnected;
        mapping = this->mapping();
        if (mapping->connection().gone() && std::chrono::steady_clock::now() >= deadline) {
          return PublishStatus::pending;
        }
        break;
    }
  }
}

FlushOutcome Outbox::flush(std::chrono::nanoseconds timeout) noexcept {
  std::uint64_t newest = 0;
  Mapping mapping;
  {
    const std::lock_guard guard(mutex_);
    newest = newest_number_;
    mapping = mapping_;
  }
  if (newest == 0) return FlushOutcome::done;
  switch (wait_for_receipt(newest, std::move(mapping), deadline_after(timeout))) {
    case PublishStatus::acknowledged:
      return FlushOutcome::done;
    case PublishStatus::disconnected:
      return FlushOutcome::disconnected;
    default:
      return FlushOutcome::timeout;
  }
}

std::uint64_t Outbox::newest_number() noexcept {
  const std::lock_guard guard(mutex_);
  return newest_number_;
}

Outbox::Mapping Outbox::mapping() noexcept {
  const std::lock_guard guard(mutex_);
  return mapping_;
}

}  // namespace fairlead::guest
