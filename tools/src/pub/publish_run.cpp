#include "pub/publish_run.hpp"

#include <poll.h>

#include <algorithm>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::tools {

using guest::FlushOutcome;
using guest::PublishOutcome;
using guest::PublishStatus;
using Clock = std::chrono::steady_clock;

namespace {

// Receipts are kept for this many messages at least; harvested well before they are overwritten.
constexpr std::uint64_t kHarvestEvery = shm::kReceiptEntries / 4;
constexpr auto kReceiptPatience = std::chrono::seconds(10);
constexpr auto kSlice = std::chrono::milliseconds(100);
// Of an outbox record: header, topic, padding.
constexpr std::uint64_t kRecordOverhead = 512;

[[noreturn]] void throw_gone() {
  throw Error(ErrorCode::disconnected, "the broker is gone; what it had not taken is lost");
}

}  // namespace

PublishRun::PublishRun(guest::Guest& guest, const StopSignals& signals, BrokerWatch& broker,
                       Options options)
    : guest_(guest),
      signals_(signals),
      broker_(broker),
      options_(std::move(options)),
      next_(Clock::now()) {}

// Made for the first message: only then it is known how large the outbox must be at least.
guest::Publisher& PublishRun::publisher(std::uint64_t first_bytes) {
  if (!publisher_) {
    guest::PublisherOptions options;
    if (first_bytes + kRecordOverhead > shm::kDefaultOutboxBytes) {
      options.ring_bytes = first_bytes + kRecordOverhead;
    }
    publisher_ = guest_.publisher(options);
  }
  return *publisher_;
}

void PublishRun::pace() {
  if (options_.interval.count() == 0) return;
  // A pause of the input is not made up for.
  next_ = std::max(next_, Clock::now() - options_.interval);
  pollfd stop{signals_.descriptor(), POLLIN, 0};
  for (;;) {
    const auto left = next_ - Clock::now();
    if (left.count() <= 0 || signals_.received() != 0) break;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec pause{seconds.count(), static_cast<long>((left - seconds).count())};
    ::ppoll(&stop, 1, &pause, nullptr);
  }
  next_ += options_.interval;
}

void PublishRun::harvest() {
  if (!publisher_) return;
  for (const std::uint64_t newest = publisher_->newest_number(); settled_ < newest; ++settled_) {
    const PublishOutcome outcome = publisher_->outcome(settled_ + 1);
    if (outcome.status == PublishStatus::pending) return;
    tally_.settle(outcome);
  }
}

// An outbox that is full of our own messages is no reason to give one up, unless --block says so.
PublishOutcome PublishRun::publish_once(guest::Publisher& publisher, std::string_view payload) {
  for (;;) {
    PublishOutcome outcome = publisher.publish(
        options_.topic, payload,
        {.block_for = options_.block, .wait_for_receipt = std::chrono::nanoseconds(0)});
    const bool full = outcome.status == PublishStatus::outbox_full;
    if (!full || options_.block.count() > 0 || signals_.received() != 0) return outcome;
    (void)publisher.flush(kSlice);
    (void)broker_.look();
    harvest();
  }
}

void PublishRun::publish(std::string_view payload) {
  pace();
  if (signals_.received() != 0) return;
  const PublishOutcome outcome = publish_once(publisher(payload.size()), payload);
  switch (outcome.status) {
    case PublishStatus::acknowledged:
    case PublishStatus::pending:
      tally_.published(payload.size());
      break;
    case PublishStatus::outbox_full:
      if (signals_.received() == 0) tally_.unpublished();
      break;
    case PublishStatus::too_large:
      throw Error(ErrorCode::limit, "a message of " + std::to_string(payload.size()) +
                                        " bytes does not fit into the outbox");
    case PublishStatus::disconnected:
      throw_gone();
    default:
      throw Error(ErrorCode::corrupt,
                  "the broker's receipts make no sense: " + std::string(to_string(outcome.status)));
  }
  // Receipts of the life before the broker's last one are forgotten, so no life may be missed.
  const auto now = Clock::now();
  if (outcome.number < settled_ + kHarvestEvery && now < looked_ + kSlice) return;
  looked_ = now;
  harvest();
  (void)broker_.look();
}

void PublishRun::expect_broker() {
  harvest();
  if (broker_.look() == guest::Presence::lost) throw_gone();
}

void PublishRun::finish() {
  if (!publisher_) return;
  const auto deadline = Clock::now() + options_.block + options_.resume + kReceiptPatience;
  FlushOutcome flushed = FlushOutcome::timeout;
  while (flushed == FlushOutcome::timeout && Clock::now() < deadline) {
    flushed = publisher_->flush(kSlice);
    if (flushed != FlushOutcome::timeout) break;
    harvest();
    (void)broker_.look();
  }
  harvest();
  if (settled_ == publisher_->newest_number()) return;
  if (flushed == FlushOutcome::disconnected) throw_gone();
  throw Error(ErrorCode::timeout, "the broker has not acknowledged " +
                                      std::to_string(publisher_->newest_number() - settled_) +
                                      " messages in time");
}

}  // namespace fairlead::tools
