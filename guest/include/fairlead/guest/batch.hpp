// Messages that were taken out of a route, where they lie: nothing is copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <fairlead/shm/message_view.hpp>
#include <fairlead/shm/route_reader.hpp>

namespace fairlead::guest {

class MappedRoute;
class ResumableRoute;

/// Topic, principal, sequence, publish time, payload and the loss right before it. A view: valid as
/// long as the Batch (or Kept) that it came from.
using Message = shm::MessageView;

/// Losses of lanes that ended without a further message (R29).
using EndedLoss = shm::RouteReader::EndedLoss;

enum class DrainOutcome : std::uint8_t {
  messages,          // at least one
  empty,             // nothing there now, or the broker is away; wait() or poll the descriptor
  closed,            // nothing there, and the broker has ended the route
  poisoned,          // likewise, because our own cursor page made no sense to it
  disconnected,      // nothing there, and the broker is gone for good
  too_many_batches,  // shm::kTicketSlots batches are out over all workers; release one
  corrupt,           // the segments break their own format; nothing can be read any more
  no_memory,         // this process has no memory for the views; nothing was taken
};

[[nodiscard]] std::string_view to_string(DrainOutcome outcome) noexcept;

/// What one drain() or take() came to. Move-only; its messages are pinned until it is destroyed or
/// released (R22), in whichever thread. It keeps the mapping alive, so it may outlive Subscription
/// and Guest. One Batch belongs to one thread at a time; a forked child's copy pins nothing.
class Batch {
 public:
  /// Holds nothing, outcome `empty`.
  Batch() noexcept = default;
  Batch(Batch&& other) noexcept;
  Batch& operator=(Batch&& other) noexcept;
  ~Batch() { release(); }

  [[nodiscard]] DrainOutcome outcome() const noexcept { return outcome_; }

  [[nodiscard]] std::span<const Message> messages() const noexcept { return messages_; }
  [[nodiscard]] const Message* begin() const noexcept { return messages_.data(); }
  [[nodiscard]] const Message* end() const noexcept { return begin() + size(); }
  [[nodiscard]] std::size_t size() const noexcept { return messages_.size(); }
  [[nodiscard]] bool empty() const noexcept { return messages_.empty(); }
  /// Undefined when empty().
  [[nodiscard]] const Message& front() const noexcept { return messages_.front(); }
  [[nodiscard]] const Message& operator[](std::size_t index) const noexcept {
    return messages_[index];
  }

  /// Filled whatever the outcome; `messages` is 0 when there is no news.
  [[nodiscard]] const EndedLoss& ended_loss() const noexcept { return ended_loss_; }

  /// Unpins and forgets the messages: their views must not be used any more. Never blocks.
  void release() noexcept;

 private:
  friend class MappedRoute;
  friend class ResumableRoute;

  std::shared_ptr<MappedRoute> route_;  // while messages are pinned
  std::vector<Message> messages_;
  shm::RouteReader::Ticket ticket_ = 0;
  DrainOutcome outcome_ = DrainOutcome::empty;
  EndedLoss ended_loss_;
};

/// One message that is kept beyond its batch (R22). Move-only; holds one of the route's
/// shm::kHoldSlots until it is destroyed. Keeps the mapping alive. One thread at a time; a forked
/// child's copy pins nothing.
class Kept {
 public:
  Kept(Kept&& other) noexcept = default;
  Kept& operator=(Kept&& other) noexcept;
  ~Kept();

  [[nodiscard]] const Message& message() const noexcept { return message_; }
  [[nodiscard]] const Message& operator*() const noexcept { return message_; }
  [[nodiscard]] const Message* operator->() const noexcept { return &message_; }

 private:
  friend class MappedRoute;
  Kept(std::shared_ptr<MappedRoute> route, const Message& message,
       shm::RouteReader::Hold hold) noexcept;

  std::shared_ptr<MappedRoute> route_;
  Message message_;
  shm::RouteReader::Hold hold_;
};

}  // namespace fairlead::guest
