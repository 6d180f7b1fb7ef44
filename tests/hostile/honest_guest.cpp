#include "honest_guest.hpp"

#include <algorithm>

namespace fairlead::hostile {

std::vector<std::byte> content_of(std::uint64_t number, std::size_t bytes) {
  std::vector<std::byte> content(bytes);
  for (std::size_t index = 0; index < bytes; ++index)
    content[index] = static_cast<std::byte>((number * 131 + index * 7) & 0xff);
  return content;
}

HonestGuest::HonestGuest()
    : memory_({.budget = 8 << 20, .cap = 32 << 20, .lanes = 512}), reader_(memory_.reader()) {}

void HonestGuest::see(const shm::MessageView& view) {
  ++delivered_;
  require(view.lost_messages() == 0 && view.lost_bytes() == 0, "an honest route lost something");
  if (view.publisher() > kHonestOutbox) {
    require(view.principal() == kHostilePrincipal, "the hostile guest is somebody else");
    require(view.sequence() > newest_of_hostile_, "the hostile guest's order is not its own");
    newest_of_hostile_ = view.sequence();
    ++of_the_hostile_;
    return;
  }
  require(view.topic() == "t", "a topic has changed");
  std::uint64_t number = view.sequence();
  if (view.publisher() == kHonestOutbox) {
    number = view.publish_number();
    require(view.principal() == kHonestPrincipal, "the honest guest is somebody else");
    require(number == ++honest_number_, "a message of the honest guest is missing");
  } else {
    const auto expected = expected_.find(number);
    require(expected != expected_.end(), "a message came that nobody sent, or twice");
    require(view.payload().size() == expected->second, "a size has changed");
    expected_.erase(expected);
  }
  const std::vector<std::byte> content = content_of(number, view.payload().size());
  require(std::equal(content.begin(), content.end(), view.payload().begin()), "a byte has changed");
}

void HonestGuest::drain(std::size_t most) {
  views_.clear();
  shm::RouteReader::Ticket ticket = 0;
  shm::RouteReader::EndedLoss ended;
  const auto outcome = reader_.drain(1 << 20, most, views_, ticket, ended);
  require(ended.messages == 0, "an honest route lost a lane");
  if (outcome == shm::RouteReader::Outcome::empty) return;
  require(outcome == shm::RouteReader::Outcome::ok, "an honest route cannot be drained");
  for (const shm::MessageView& view : views_) see(view);
  reader_.release(ticket, views_.size());
}

void HonestGuest::expect_complete(std::uint64_t honest_numbers) const {
  require(expected_.empty(), "a message of the host is missing");
  require(honest_number_ == honest_numbers, "the last messages of the honest guest are missing");
}

}  // namespace fairlead::hostile
