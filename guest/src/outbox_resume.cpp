// Handing over to the next broker what the last one had not acknowledged (R34).
#include <cstring>
#include <string>
#include <utility>

#include <fairlead/shm/error.hpp>

#include "link.hpp"
#include "outbox.hpp"
#include "refusal_kinds.hpp"

namespace fairlead::guest {

namespace control = shm::control;

namespace {

// Whose receipts are kept: a page takes 100 KiB and more.
constexpr std::size_t kEarlierLives = 8;

}  // namespace

bool Outbox::lost() const noexcept { return !link_ || given_up() || link_->lost(); }

bool Outbox::come_back(SteadyTime deadline) noexcept {
  if (lost()) return false;
  const Link::State state = link_->come_back(deadline);
  if (state == Link::State::attached && mapping()->connection().gone()) {
    link_->catch_up(*this);
    if (!lost() && mapping()->connection().gone()) (void)link_->rest(deadline);
  }
  return !lost();
}

void Outbox::resume(const std::shared_ptr<Connection>& connection) {
  control::ResumeOutbox question{};
  question.outbox = id_;
  question.ring_bytes = ring_bytes_;
  try {
    {
      const std::lock_guard guard(mutex_);
      if (&mapping_->connection() == connection.get() || lost()) return;
      question.first_number = first_without_receipt();
    }
    auto answer = connection->ask<control::OutboxOpened>(Kind::resume_outbox, question,
                                                         Kind::outbox_opened, 2);
    if (answer.reply.outbox != id_ || answer.reply.ring_bytes != ring_bytes_) {
      throw Error(ErrorCode::corrupt, "the broker came back with another outbox");
    }
    auto next = std::make_shared<OutboxMapping>(
        connection, answer.reply, std::move(answer.descriptors), question.first_number);
    connection->acknowledge(answer.reply.header.request);
    const std::lock_guard guard(mutex_);
    copy_rest(*next);
    keep_receipts(question.first_number);
    mapping_ = std::move(next);
    (void)show_tail();
  } catch (const Error& error) {
    if (connection->gone() || is_of_connection(error.code())) throw;
    if (!is_passing(error.code())) lose();
  }
}

/// For outcomes, before the next life begins with that number.
void Outbox::keep_receipts(std::uint64_t next_first_number) {
  const auto& present = mapping_->receipts();
  if (present->first_number() == next_first_number) return;  // nothing was accepted
  if (earlier_receipts_.size() == kEarlierLives) earlier_receipts_.erase(earlier_receipts_.begin());
  earlier_receipts_.push_back(present);
}

/// The next message from `position` on, and `position` moved to it; false at the tail.
bool Outbox::read_record(std::uint64_t& position, shm::OutboxRecord& record) const {
  while (position != tail_) {
    const std::uint64_t offset = position & (ring_bytes_ - 1);
    const std::uint64_t rest = ring_bytes_ - offset;
    if (rest >= sizeof record) {
      std::memcpy(&record, mapping_->ring() + offset, sizeof record);
      if (record.kind == shm::OutboxKind::message) {
        if (record.record_bytes >= sizeof record && record.record_bytes <= rest &&
            record.record_bytes <= tail_ - position) {
          return true;
        }
        break;
      }
    }
    if (rest > tail_ - position) break;
    position += rest;
  }
  if (position == tail_) return false;
  throw Error(ErrorCode::corrupt, "the outbox was written over");
}

/// Of what has no receipt. Checked each time: a broker that is broken may still be writing.
std::uint64_t Outbox::first_position() const {
  const std::uint64_t position = mapping_->receipt().accepted_bytes.load(std::memory_order_acquire);
  if (position > tail_ || tail_ - position > ring_bytes_) {
    throw Error(ErrorCode::corrupt, "the receipts make no sense");
  }
  return position;
}

// Its broker stored how far it had come before the number that belongs to it, and is dead.
std::uint64_t Outbox::first_without_receipt() {
  std::uint64_t position = first_position();
  shm::OutboxRecord record{};
  return read_record(position, record) ? record.publish_number : newest_number_ + 1;
}

// Without the fillers: all that was in a ring fits into another one of the same size.
void Outbox::copy_rest(OutboxMapping& to) {
  std::uint64_t position = first_position();
  std::uint64_t copied = 0;
  shm::OutboxRecord record{};
  while (read_record(position, record)) {
    if (record.record_bytes > ring_bytes_ - copied)
      throw Error(ErrorCode::corrupt, "the outbox was written over");
    std::memcpy(to.ring() + copied, mapping_->ring() + (position & (ring_bytes_ - 1)),
                record.record_bytes);
    copied += record.record_bytes;
    position += record.record_bytes;
  }
  tail_ = copied;
}

}  // namespace fairlead::guest
