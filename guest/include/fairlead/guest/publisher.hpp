// Publishing from a guest: into its outbox, out of which the broker takes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <fairlead/shm/layout/outbox_layout.hpp>

namespace fairlead::guest {

class Outbox;

struct PublisherOptions {
  /// Room for messages that the broker has not taken yet; rounded up to a power of two. A message
  /// needs 32 bytes beside payload and topic, and may fill the whole ring. 0: the broker's default
  /// (shm::kDefaultOutboxBytes).
  std::uint64_t ring_bytes = 0;
};

struct PublishOptions {
  /// How long this publish may be held back: by a full outbox, and by full routes that rather
  /// refuse than evict (R21), for which the broker waits 60 s at most. Zero: not at all.
  std::chrono::nanoseconds block_for{0};
  /// How much longer to wait for the receipt. Zero: publishes asynchronously, ask outcome() or
  /// flush() later.
  std::chrono::nanoseconds wait_for_receipt = std::chrono::seconds(5);
};

enum class PublishStatus : std::uint8_t {
  acknowledged,   // the broker is done with it: see the counts (R11)
  pending,        // in the outbox, no receipt yet
  outbox_full,    // not published: no room, or shm::kReceiptEntries messages await receipts
  too_large,      // not published: larger than the outbox, or than any message may be (R31)
  invalid_topic,  // not published (R04)
  disconnected,   // the broker is gone for good. With a number: no receipt, may be lost (R34)
  forgotten,      // outcome() only: too long ago, its receipt is gone
  unknown,        // outcome() only: no such number was given out
  corrupt,        // the receipt page makes no sense
};

[[nodiscard]] std::string_view to_string(PublishStatus status) noexcept;
/// "larger_than_budget", "full"... for logs and people.
[[nodiscard]] std::string_view to_string(shm::Refusal reason) noexcept;

/// What a publish came to. Refused by some routes is still `acknowledged`: look at `reason`.
struct PublishOutcome {
  PublishStatus status = PublishStatus::unknown;
  std::uint64_t number = 0;   // of this publisher's messages, from 1; 0 = not published
  std::uint32_t matched = 0;  // routes whose pattern matches and that admit us
  std::uint32_t taken = 0;    // of those, how many have it
  std::uint32_t evicted = 0;  // messages that were evicted to make room, over all routes
  std::uint32_t refused = 0;  // routes that did not take it
  /// Of the publish as a whole, or of the first route that refused.
  shm::Refusal reason = shm::Refusal::none;

  /// Acknowledged, and nobody refused.
  [[nodiscard]] bool complete() const noexcept {
    return status == PublishStatus::acknowledged && reason == shm::Refusal::none;
  }
};

enum class FlushOutcome : std::uint8_t { done, timeout, disconnected, corrupt };

/// The guest's one outbox; a cheap handle, copy it at will. Thread-safe: messages of one thread
/// keep their order. It keeps the connection alive. Not for forked children: their publishes are
/// `disconnected`. No call throws.
///
/// While the broker is away that may come back (AttachOptions::resume_for) there is room for what
/// the outbox holds. The next broker gets all that has no receipt, under the same numbers, and
/// gives each route what it does not have yet (R34). publish() and flush() try to come back within
/// their time-outs; an asynchronous publish makes one attempt now and then.
class Publisher {
 public:
  /// Copies topic and payload into the outbox, wakes the broker if it sleeps, and waits as long as
  /// `options` say. Who publishes is fixed by the connection (R08).
  PublishOutcome publish(std::string_view topic, std::span<const std::byte> payload,
                         const PublishOptions& options = {}) noexcept;
  PublishOutcome publish(std::string_view topic, std::string_view payload,
                         const PublishOptions& options = {}) noexcept {
    return publish(topic, std::as_bytes(std::span(payload)), options);
  }

  /// What became of an earlier publish. The newest shm::kReceiptEntries are remembered, but of a
  /// broker's life before the last one none.
  [[nodiscard]] PublishOutcome outcome(std::uint64_t number) const noexcept;
  /// Waits until the broker is done with all that was published before this call.
  [[nodiscard]] FlushOutcome flush(std::chrono::nanoseconds timeout) noexcept;

  /// Number of the newest message; 0 before the first.
  [[nodiscard]] std::uint64_t newest_number() const noexcept;
  /// The outbox's, as messages show it in publisher(); never reused.
  [[nodiscard]] std::uint64_t id() const noexcept;

 private:
  friend class Guest;
  explicit Publisher(std::shared_ptr<Outbox> outbox) noexcept;

  std::shared_ptr<Outbox> outbox_;
};

}  // namespace fairlead::guest
