#include "pub/publish_tally.hpp"

#include <numeric>

#include "text/names.hpp"

namespace fairlead::tools {
namespace {

std::string counted(std::uint64_t number, const char* noun) {
  return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
}

}  // namespace

void PublishTally::settle(const guest::PublishOutcome& outcome) noexcept {
  if (outcome.status != guest::PublishStatus::acknowledged) {
    ++unsettled_;
    return;
  }
  matched_ += outcome.matched;
  taken_ += outcome.taken;
  evicted_ += outcome.evicted;
  refused_ += outcome.refused;
  const auto reason = static_cast<std::size_t>(outcome.reason);
  if (reason != 0 && reason < reasons_.size()) ++reasons_[reason];
}

std::uint64_t PublishTally::refused_messages() const noexcept {
  return std::accumulate(reasons_.begin(), reasons_.end(), std::uint64_t{0});
}

std::string PublishTally::summary(const std::string& principal) const {
  std::string text =
      counted(messages_, "message") + " (" + counted(bytes_, "byte") + ") as " + principal + ": ";
  if (matched_ == 0 && refused_messages() == 0 && unsettled_ < messages_) {
    text += "no route matched";
  } else {
    // One message to two routes is two deliveries.
    text += std::to_string(matched_) + (matched_ == 1 ? " delivery: " : " deliveries: ") +
            "taken " + std::to_string(taken_) + ", evicted " + std::to_string(evicted_) +
            ", refused " + std::to_string(refused_);
  }
  for (std::size_t reason = 1; reason < reasons_.size(); ++reason) {
    if (reasons_[reason] == 0) continue;
    text += "; " + std::string(name_of(static_cast<shm::Refusal>(reason))) + ": " +
            counted(reasons_[reason], "message");
  }
  if (unpublished_ > 0) text += "; not published: " + counted(unpublished_, "message");
  if (unsettled_ > 0) text += "; fate unknown: " + counted(unsettled_, "message");
  return text;
}

}  // namespace fairlead::tools
