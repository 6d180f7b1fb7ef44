#include "support/guest_end.hpp"

#include <utility>

namespace fairlead::test {

TakenMessage copy_of(const shm::MessageView& view) {
  return {.principal = std::string(view.principal()),
          .topic = std::string(view.topic()),
          .payload = std::string(view.text()),
          .sequence = view.sequence(),
          .published_nanoseconds = view.published_nanoseconds(),
          .publisher = view.publisher(),
          .publish_number = view.publish_number(),
          .lost_messages = view.lost_messages(),
          .lost_bytes = view.lost_bytes()};
}

std::string to_text(const TakenMessage& message) {
  return "'" + message.principal + "' " + message.topic + " #" + std::to_string(message.sequence) +
         " of " + std::to_string(message.publisher) + "/" + std::to_string(message.publish_number) +
         " at " + std::to_string(message.published_nanoseconds) + ", " +
         std::to_string(message.payload.size()) + " bytes, lost before it " +
         std::to_string(message.lost_messages) + " (" + std::to_string(message.lost_bytes) +
         " bytes)";
}

DrainResult LocalGuestEnd::drain(std::uint64_t byte_budget, std::uint64_t most) {
  DrainResult result;
  std::vector<shm::MessageView> views;
  result.outcome = reader_.drain(byte_budget, most, views, result.batch, result.ended);
  if (result.outcome != shm::RouteReader::Outcome::ok) return result;
  result.messages.reserve(views.size());
  for (const shm::MessageView& view : views) result.messages.push_back(copy_of(view));
  batches_[result.batch] = std::move(views);
  return result;
}

std::vector<TakenMessage> LocalGuestEnd::look(std::uint32_t batch) {
  std::vector<TakenMessage> copies;
  for (const shm::MessageView& view : batches_.at(batch)) copies.push_back(copy_of(view));
  return copies;
}

void LocalGuestEnd::release(std::uint32_t batch) {
  const auto found = batches_.find(batch);
  reader_.release(batch, found->second.size());
  batches_.erase(found);
}

std::optional<std::uint32_t> LocalGuestEnd::hold(std::uint32_t batch, std::uint32_t index) {
  const shm::MessageView& view = batches_.at(batch).at(index);
  const auto slot = reader_.hold(view);
  if (slot) held_.emplace(*slot, view);
  return slot;
}

TakenMessage LocalGuestEnd::look_held(std::uint32_t hold) { return copy_of(held_.at(hold)); }

void LocalGuestEnd::release_hold(std::uint32_t hold) {
  held_.erase(hold);
  reader_.release_hold(hold);
}

}  // namespace fairlead::test
