#include <fairlead/guest/publisher.hpp>

#include <utility>

#include "outbox.hpp"

namespace fairlead::guest {

Publisher::Publisher(std::shared_ptr<Outbox> outbox) noexcept : outbox_(std::move(outbox)) {}

PublishOutcome Publisher::publish(std::string_view topic, std::span<const std::byte> payload,
                                  const PublishOptions& options) noexcept {
  return outbox_->publish(topic, payload, options);
}

PublishOutcome Publisher::outcome(std::uint64_t number) const noexcept {
  return outbox_->outcome(number);
}

FlushOutcome Publisher::flush(std::chrono::nanoseconds timeout) noexcept {
  return outbox_->flush(timeout);
}

std::uint64_t Publisher::newest_number() const noexcept { return outbox_->newest_number(); }

std::uint64_t Publisher::id() const noexcept { return outbox_->id(); }

std::string_view to_string(PublishStatus status) noexcept {
  switch (status) {
    case PublishStatus::acknowledged:
      return "acknowledged";
    case PublishStatus::pending:
      return "pending";
    case PublishStatus::outbox_full:
      return "outbox_full";
    case PublishStatus::too_large:
      return "too_large";
    case PublishStatus::invalid_topic:
      return "invalid_topic";
    case PublishStatus::disconnected:
      return "disconnected";
    case PublishStatus::forgotten:
      return "forgotten";
    case PublishStatus::unknown:
      return "unknown";
    case PublishStatus::corrupt:
      return "corrupt";
  }
  return "unknown";
}

std::string_view to_string(shm::Refusal reason) noexcept {
  switch (reason) {
    case shm::Refusal::none:
      return "none";
    case shm::Refusal::not_admitted:
      return "not_admitted";
    case shm::Refusal::larger_than_budget:
      return "larger_than_budget";
    case shm::Refusal::larger_than_limit:
      return "larger_than_limit";
    case shm::Refusal::full:
      return "full";
    case shm::Refusal::segment_full:
      return "segment_full";
    case shm::Refusal::no_memory:
      return "no_memory";
    case shm::Refusal::lanes_full:
      return "lanes_full";
    case shm::Refusal::rate_limited:
      return "rate_limited";
    case shm::Refusal::not_permitted:
      return "not_permitted";
    case shm::Refusal::invalid_topic:
      return "invalid_topic";
    case shm::Refusal::route_closed:
      return "route_closed";
  }
  return "unknown";
}

}  // namespace fairlead::guest
