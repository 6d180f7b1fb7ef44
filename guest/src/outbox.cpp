#include "outbox.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <utility>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/topic.hpp>

#include "deadline.hpp"

namespace fairlead::guest {
namespace {

using shm::Access;
using shm::OutboxKind;
using shm::OutboxRecord;
using shm::Segment;

constexpr std::uint64_t kMostSegmentBytes = std::uint64_t{1} << 32;

constexpr std::uint64_t round_up(std::uint64_t bytes) noexcept {
  return (bytes + shm::kRecordAlignment - 1) / shm::kRecordAlignment * shm::kRecordAlignment;
}

void check_sizes(const shm::control::OutboxOpened& opened) {
  const std::uint64_t ring = opened.ring_bytes;
  const bool sound = ring >= sizeof(OutboxRecord) && (ring & (ring - 1)) == 0 &&
                     opened.outbox_segment_bytes <= kMostSegmentBytes &&
                     opened.receipt_segment_bytes <= kMostSegmentBytes &&
                     opened.outbox_segment_bytes >= shm::kOutboxRingOffset &&
                     ring <= opened.outbox_segment_bytes - shm::kOutboxRingOffset &&
                     opened.receipt_segment_bytes >= sizeof(shm::ReceiptHeader);
  if (sound) return;
  throw Error(ErrorCode::corrupt,
              "the outbox that the broker offers is unusable: a ring of " + std::to_string(ring) +
                  " bytes in " + std::to_string(opened.outbox_segment_bytes) + ", receipts in " +
                  std::to_string(opened.receipt_segment_bytes));
}

Segment map_segment(std::vector<shm::UniqueFd>& descriptors, std::size_t index, Access access,
                    shm::SegmentKind kind, std::uint64_t bytes) {
  if (index >= descriptors.size()) {
    throw Error(ErrorCode::protocol, "the broker sent no descriptors with the outbox");
  }
  shm::OpenOptions options;
  options.kind = kind;
  options.minimum_file_bytes = bytes;
  options.map_bytes = bytes;
  options.check_mode = false;
  if (access == Access::read_write) options.required_seals = F_SEAL_SHRINK | F_SEAL_GROW;
  return Segment::adopt_descriptor(std::move(descriptors[index]), access, options).value();
}

std::uint64_t nanoseconds_of(Outbox::Deadline deadline) noexcept {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, std::chrono::nanoseconds(deadline.time_since_epoch()).count()));
}

}  // namespace

Outbox::Outbox(std::shared_ptr<Connection> connection, const shm::control::OutboxOpened& opened,
               std::vector<shm::UniqueFd> descriptors)
    : connection_(std::move(connection)),
      id_((check_sizes(opened), opened.outbox)),
      ring_bytes_(opened.ring_bytes),
      outbox_(map_segment(descriptors, 0, Access::read_write, shm::SegmentKind::outbox,
                          opened.outbox_segment_bytes)),
      receipts_(map_segment(descriptors, 1, Access::read_only, shm::SegmentKind::receipt,
                            opened.receipt_segment_bytes)),
      header_(*reinterpret_cast<shm::OutboxHeader*>(outbox_.data())),
      receipt_(*reinterpret_cast<const shm::ReceiptHeader*>(receipts_.data())),
      ring_(outbox_.data() + shm::kOutboxRingOffset) {}

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
  if (connection_->gone() || !home_.is_here()) {
    result.status = PublishStatus::disconnected;
    return result;
  }
  const bool patient = options.block_for > std::chrono::nanoseconds(0);
  const Deadline room_deadline = deadline_after(options.block_for);
  const Entry entry{topic, payload, record_bytes, patient ? nanoseconds_of(room_deadline) : 0};
  result.status = enter(entry, room_deadline, result.number);
  if (result.status != PublishStatus::pending) return result;
  if (options.wait_for_receipt <= std::chrono::nanoseconds(0)) return result;
  const Deadline from = patient ? room_deadline : std::chrono::steady_clock::now();
  result.status = wait_for_receipt(result.number, deadline_after(options.wait_for_receipt, from));
  return result.status == PublishStatus::acknowledged ? outcome(result.number) : result;
}

// ---- into the ring -----------------------------------------------------------------------------

PublishStatus Outbox::enter(const Entry& entry, Deadline deadline, std::uint64_t& number) noexcept {
  for (bool last_try = false;;) {
    const std::uint32_t doorbell = receipt_.doorbell.load(std::memory_order_acquire);
    {
      const std::lock_guard guard(mutex_);
      switch (make_room(entry.record_bytes)) {
        case Room::yes:
          write(entry);
          number = newest_number_;
          return show_tail() ? PublishStatus::pending : PublishStatus::disconnected;
        case Room::corrupt:
          return PublishStatus::corrupt;
        case Room::no:
          break;
      }
    }
    // Others may take the room as fast as the broker makes it.
    if (last_try) return PublishStatus::outbox_full;
    switch (wait_until(doorbell, deadline)) {
      case Waited::rang:
        last_try = std::chrono::steady_clock::now() >= deadline;
        break;
      case Waited::timed_out:
        return PublishStatus::outbox_full;
      case Waited::gone:
        return PublishStatus::disconnected;
    }
  }
}

// Whether the record fits at the tail. Records never wrap: a rest of the ring that is too short is
// given away.
Outbox::Room Outbox::make_room(std::uint64_t record_bytes) noexcept {
  const std::uint64_t accepted_number =
      receipt_.accepted_number.load(std::memory_order_acquire);  // sync: receipt
  const std::uint64_t accepted =
      receipt_.accepted_bytes.load(std::memory_order_acquire);  // sync: accepted-bytes
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
    std::memcpy(ring_ + (tail_ & (ring_bytes_ - 1)), &filler, sizeof filler);
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
  std::byte* const at = ring_ + (tail_ & (ring_bytes_ - 1));
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
  header_.tail.store(tail_, std::memory_order_release);  // sync: outbox-tail
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (receipt_.broker_asleep.load(std::memory_order_relaxed) == 0)
    return true;  // sync: broker-asleep
  return connection_->kick(id_);
}

// ---- receipts ----------------------------------------------------------------------------------

PublishOutcome Outbox::outcome(std::uint64_t number) noexcept {
  PublishOutcome result;
  // Whoever publishes holds this lock, so nobody reuses the receipt while it is read.
  const std::lock_guard guard(mutex_);
  if (number == 0 || number > newest_number_) return result;
  result.number = number;
  if (newest_number_ - number >= shm::kReceiptEntries) {
    result.status = PublishStatus::forgotten;
    return result;
  }
  if (receipt_.accepted_number.load(std::memory_order_acquire) < number) {  // sync: receipt
    result.status = connection_->gone() ? PublishStatus::disconnected : PublishStatus::pending;
    return result;
  }
  const shm::Receipt& receipt = receipt_.receipts[number % shm::kReceiptEntries];
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

PublishStatus Outbox::wait_for_receipt(std::uint64_t number, Deadline deadline) noexcept {
  for (;;) {
    const std::uint32_t doorbell = receipt_.doorbell.load(std::memory_order_acquire);
    if (receipt_.accepted_number.load(std::memory_order_acquire) >= number) {  // sync: receipt
      return PublishStatus::acknowledged;
    }
    switch (wait_until(doorbell, deadline)) {
      case Waited::rang:
        break;
      case Waited::timed_out:
        return PublishStatus::pending;
      case Waited::gone:
        return PublishStatus::disconnected;
    }
  }
}

FlushOutcome Outbox::flush(std::chrono::nanoseconds timeout) noexcept {
  const std::uint64_t newest = newest_number();
  if (newest == 0) return FlushOutcome::done;
  switch (wait_for_receipt(newest, deadline_after(timeout))) {
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

}  // namespace fairlead::guest
