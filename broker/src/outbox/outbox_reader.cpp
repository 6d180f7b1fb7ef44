#include "outbox/outbox_reader.hpp"

#include <algorithm>

#include <fairlead/shm/untrusted.hpp>

namespace fairlead::broker {

using shm::OutboxKind;
using shm::OutboxRecord;

namespace {

constexpr std::uint64_t round_up(std::uint64_t bytes) noexcept {
  return (bytes + shm::kRecordAlignment - 1) / shm::kRecordAlignment * shm::kRecordAlignment;
}

}  // namespace

OutboxReader::OutboxReader(const std::byte* segment, std::uint64_t ring_bytes,
                           std::uint64_t first_number) noexcept
    : header_(*reinterpret_cast<const shm::OutboxHeader*>(segment)),
      ring_(segment + shm::kOutboxRingOffset),
      ring_bytes_(ring_bytes),
      next_number_(first_number) {}

OutboxReader::Peek OutboxReader::refuse(std::string_view reason) noexcept {
  violation_ = reason;
  return Peek::violation;
}

bool OutboxReader::pending() const noexcept {
  return peeked_bytes_ != 0 || position_ != tail_ ||
         shm::load_untrusted(header_.tail) != tail_;  // sync: outbox-tail
}

// A tail that moved is checked as a whole before any of what it covers is read.
bool OutboxReader::load_tail() noexcept {
  const std::uint64_t tail = shm::load_untrusted(header_.tail);  // sync: outbox-tail
  if (tail % shm::kRecordAlignment != 0) {
    violation_ = "its outbox tail is not a multiple of 16";
  } else if (tail < tail_) {
    violation_ = "its outbox tail went backwards";
  } else if (tail - position_ > ring_bytes_) {
    violation_ = "its outbox tail claims more bytes than the ring holds";
  } else {
    tail_ = tail;
    return true;
  }
  return false;
}

OutboxReader::Peek OutboxReader::peek() noexcept {
  if (peeked_bytes_ != 0) return Peek::message;
  if (!violation_.empty()) return Peek::violation;
  if (position_ == tail_ && !load_tail()) return Peek::violation;
  if (position_ == tail_) return Peek::nothing;
  return read_record();
}

OutboxReader::Peek OutboxReader::read_record() noexcept {
  // At most one filler and the message behind it, or the look at the tail in between.
  for (int records = 0; records < 2; ++records) {
    const std::uint64_t offset = position_ & (ring_bytes_ - 1);
    const std::uint64_t rest = ring_bytes_ - offset;
    const std::uint64_t available = std::min(tail_ - position_, rest);
    std::uint64_t filler = 0;
    if (rest < sizeof(OutboxRecord)) {
      filler = rest;  // no header fits there: whatever it holds is a filler
    } else {
      if (available < sizeof(OutboxRecord)) return refuse("its outbox ends inside a record");
      OutboxRecord record;
      shm::copy_untrusted(&record, ring_ + offset, sizeof record);
      if (record.kind == OutboxKind::message) return read_message(record, offset, available);
      if (record.kind != OutboxKind::filler)
        return refuse("its outbox holds a record of unknown kind");
      if (offset == 0 || record.record_bytes != rest)
        return refuse("a filler in its outbox does not fill the ring's rest");
      filler = rest;
    }
    if (filler > tail_ - position_) return refuse("its outbox ends inside a record");
    position_ += filler;
    if (position_ == tail_ && !load_tail()) return Peek::violation;
    if (position_ == tail_) return Peek::nothing;
  }
  return refuse("its outbox holds fillers only");
}

OutboxReader::Peek OutboxReader::read_message(const OutboxRecord& record, std::uint64_t offset,
                                              std::uint64_t available) noexcept {
  // Sums of 32-bit values in 64 bits: nothing overflows.
  const std::uint64_t parts =
      sizeof record + std::uint64_t{record.payload_bytes} + std::uint64_t{record.topic_bytes};
  if (record.record_bytes != round_up(parts))
    return refuse("a record in its outbox has another size than its parts");
  if (record.record_bytes > available) return refuse("its outbox ends inside a record");
  if (record.publish_number != next_number_)
    return refuse("its publish numbers do not go up by one");
  const auto topic_bytes = std::min<std::size_t>(record.topic_bytes, topic_.size());
  const std::byte* const payload = ring_ + offset + sizeof record;
  shm::copy_untrusted(topic_.data(), payload + record.payload_bytes, topic_bytes);
  message_ = {record.publish_number,
              record.block_until_nanoseconds,
              {topic_.data(), topic_bytes},
              {payload, record.payload_bytes}};
  peeked_bytes_ = record.record_bytes;
  return Peek::message;
}

void OutboxReader::consume() noexcept {
  position_ += peeked_bytes_;
  if (peeked_bytes_ != 0) ++next_number_;
  peeked_bytes_ = 0;
}

}  // namespace fairlead::broker
