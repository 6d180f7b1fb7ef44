#include "outbox.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/topic.hpp>

#include "deadline.hpp"
#include "link.hpp"

namespace fairlead::guest {
namespace {

using shm::OutboxKind;
using shm::OutboxRecord;

// Publishes without a receipt after which the clock is read, and time after which a broker that
// acknowledges none of them is looked for.
constexpr std::uint32_t kUnmovedPublishes = 16;
constexpr std::chrono::nanoseconds kUnmovedFor = std::chrono::milliseconds(50);

constexpr std::uint64_t round_up(std::uint64_t bytes) noexcept {
  return (bytes + shm::kRecordAlignment - 1) / shm::kRecordAlignment * shm::kRecordAlignment;
}

std::uint64_t nanoseconds_of(SteadyTime deadline) noexcept {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, std::chrono::nanoseconds(deadline.time_since_epoch()).count()));
}

}  // namespace

Outbox::Outbox(std::shared_ptr<Connection> connection, const shm::control::OutboxOpened& opened,
               std::vector<shm::UniqueFd> descriptors, std::shared_ptr<Link> link)
    : id_(opened.outbox),
      ring_bytes_(opened.ring_bytes),
      link_(link && link->can_come_back() ? std::move(link) : nullptr),
      mapping_(std::make_shared<OutboxMapping>(std::move(connection), opened,
                                               std::move(descriptors), 1)) {}

Outbox::~Outbox() = default;

PublishOutcome Outbox::publish(std::string_view topic, std::span<const std::byte> payload,
                               const PublishOptions& options) noexcept {
  PublishOutcome result;
  if (shm::check_topic(topic) != shm::TopicProblem::none) {
    result.status = PublishStatus::invalid_topic;
    result.reason = shm::Refusal::invalid_topic;
    return result;
  }
  const std::uint64_t record_bytes = round_up(sizeof(OutboxRecord) + payload.size() + topic.size());
  if (payload.size() > shm::kMaximumInlinePayloadBytes || record_bytes > ring_bytes_) {
    result.status = PublishStatus::too_large;
    result.reason = shm::Refusal::larger_than_limit;
    return result;
  }
  // A forked child would write over what its parent writes.
  if (!home_.is_here()) {
    result.status = PublishStatus::disconnected;
    return result;
  }
  const bool patient = options.block_for > std::chrono::nanoseconds(0);
  const bool will_wait = options.wait_for_receipt > std::chrono::nanoseconds(0);
  const SteadyTime room_deadline = deadline_after(options.block_for);
  const Entry entry{topic, payload, record_bytes, patient ? nanoseconds_of(room_deadline) : 0};
  Entered entered;
  result.status = enter(entry, room_deadline, will_wait, entered);
  result.number = entered.number;
  if (result.status != PublishStatus::pending) return result;
  if (!will_wait) {
    if (entered.look) (void)come_back(SteadyTime::min());
    return result;
  }
  const SteadyTime from = patient ? room_deadline : std::chrono::steady_clock::now();
  result.status = wait_for_receipt(result.number, std::move(entered.mapping),
                                   deadline_after(options.wait_for_receipt, from));
  return result.status == PublishStatus::acknowledged ? outcome(result.number) : result;
}

// ---- into the ring -----------------------------------------------------------------------------

PublishStatus Outbox::enter(const Entry& entry, SteadyTime deadline, bool will_wait,
                            Entered& entered) noexcept {
  for (bool last_try = false;;) {
    std::uint32_t doorbell = 0;
    Mapping full;
    {
      const std::lock_guard guard(mutex_);
      // While a broker is away that may come back, its ring takes what there is room for.
      const bool gone = mapping_->connection().gone();
      if (gone && lost()) return PublishStatus::disconnected;
      doorbell = mapping_->receipt().doorbell.load(std::memory_order_acquire);
      switch (make_room(entry.record_bytes)) {
        case Room::yes:
          write(entry);
          entered.number = newest_number_;
          entered.look = !show_tail() || gone || stands_still();
          if (entered.look && lost()) return PublishStatus::disconnected;
          if (will_wait) entered.mapping = mapping_;
          return PublishStatus::pending;
        case Room::corrupt:
          return PublishStatus::corrupt;
        case Room::no:
          full = mapping_;
          break;
      }
    }
    // Others may take the room as fast as the broker makes it.
    if (last_try) return PublishStatus::outbox_full;
    switch (wait_until(*full, doorbell, deadline)) {
      case Waited::rang:
        last_try = std::chrono::steady_clock::now() >= deadline;
        break;
      case Waited::timed_out:
        return PublishStatus::outbox_full;
      case Waited::gone:
        if (!come_back(deadline)) return PublishStatus::disconnected;
        last_try = std::chrono::steady_clock::now() >= deadline;
        break;
    }
  }
}

// Whether the record fits at the tail. Records never wrap: a rest of the ring that is too short is
// given away.
Outbox::Room Outbox::make_room(std::uint64_t record_bytes) noexcept {
  const shm::ReceiptHeader& receipt = mapping_->receipt();
  const std::uint64_t accepted_number =
      receipt.accepted_number.load(std::memory_order_acquire);  // sync: receipt
  const std::uint64_t accepted =
      receipt.accepted_bytes.load(std::memory_order_acquire);  // sync: accepted-bytes
  if (accepted > tail_ || tail_ - accepted > ring_bytes_ || accepted_number > newest_number_) {
    return Room::corrupt;
  }
  if (newest_number_ - accepted_number >= shm::kReceiptEntries) return Room::no;
  const std::uint64_t free = ring_bytes_ - (tail_ - accepted);
  const std::uint64_t rest = ring_bytes_ - (tail_ & (ring_bytes_ - 1));
  if (record_bytes <= rest) return record_bytes <= free ? Room::yes : Room::no;
  if (rest + record_bytes <= free) {
    write_filler(rest);
    return Room::yes;
  }
  // A large record may not even fit behind its filler in an empty ring: the filler goes ahead.
  if (rest + record_bytes > ring_bytes_ && rest <= free) {
    write_filler(rest);
    (void)show_tail();
  }
  return Room::no;
}

// A rest that no header fits into is a filler by itself.
void Outbox::write_filler(std::uint64_t rest) noexcept {
  if (rest >= sizeof(OutboxRecord)) {
    OutboxRecord filler{};
    filler.record_bytes = static_cast<std::uint32_t>(rest);
    filler.kind = OutboxKind::filler;
    std::memcpy(mapping_->ring() + (tail_ & (ring_bytes_ - 1)), &filler, sizeof filler);
  }
  tail_ += rest;
}

void Outbox::write(const Entry& entry) noexcept {
  const OutboxRecord record{
      .record_bytes = static_cast<std::uint32_t>(entry.record_bytes),
      .kind = OutboxKind::message,
      .payload_bytes = static_cast<std::uint32_t>(entry.payload.size()),
      .topic_bytes = static_cast<std::uint32_t>(entry.topic.size()),
      .publish_number = ++newest_number_,
      .block_until_nanoseconds = entry.block_until_nanoseconds,
  };
  std::byte* const at = mapping_->ring() + (tail_ & (ring_bytes_ - 1));
  std::memcpy(at, &record, sizeof record);
  if (!entry.payload.empty()) {
    std::memcpy(at + sizeof record, entry.payload.data(), entry.payload.size());
  }
  std::memcpy(at + sizeof record + entry.payload.size(), entry.topic.data(), entry.topic.size());
  tail_ += entry.record_bytes;
}

// Store the tail, full fence, load the flag; the broker stores the flag, full fence, loads the
// tail. So either we see that it sleeps, or it sees our record.
bool Outbox::show_tail() noexcept {
  mapping_->header().tail.store(tail_, std::memory_order_release);  // sync: outbox-tail
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (mapping_->receipt().broker_asleep.load(std::memory_order_relaxed) == 0)
    return true;  // sync: broker-asleep
  return mapping_->connection().kick(id_);
}

// A broker that was killed while it was awake gets no kick that would fail.
bool Outbox::stands_still() noexcept {
  if (!link_) return false;
  const std::uint64_t accepted =
      mapping_->receipt().accepted_number.load(std::memory_order_relaxed);
  if (accepted != seen_accepted_) {
    seen_accepted_ = accepted;
    unmoved_ = 0;
    return false;
  }
  if (unmoved_++ % kUnmovedPublishes != 0) return false;
  const SteadyTime now = std::chrono::steady_clock::now();
  if (unmoved_ == 1) unmoved_since_ = now;
  if (now - unmoved_since_ < kUnmovedFor) return false;
  unmoved_since_ = now;
  return true;
}

// ---- receipts ----------------------------------------------------------------------------------

PublishOutcome Outbox::outcome(std::uint64_t number) noexcept {
  PublishOutcome result;
  // Whoever publishes holds this lock, so nobody reuses the receipt while it is read.
  const std::lock_guard guard(mutex_);
  if (number == 0 || number > newest_number_) return result;
  result.number = number;
  const ReceiptPage* page = mapping_->receipts().get();
  // What came before was accepted; by the broker before the last one, nobody knows with what.
  const bool earlier = number < page->first_number();
  if (earlier) page = last_receipts_.get();
  if (newest_number_ - number >= shm::kReceiptEntries ||
      (earlier && (page == nullptr || number < page->first_number()))) {
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
