#include "ledger.hpp"

#include <algorithm>
#include <charconv>

namespace fairlead::killing {
namespace {

/// The number in "principal#number#...", 0 if there is none.
std::uint32_t number_in(const std::string& payload) {
  const std::size_t first = payload.find('#');
  if (first == std::string::npos) return 0;
  std::uint32_t number = 0;
  std::from_chars(payload.data() + first + 1, payload.data() + payload.size(), number);
  return number;
}

}  // namespace

void Ledger::complain(const std::string& sentence) {
  if (complaints_.size() < 1'000) complaints_ += sentence + "; ";
}

void Ledger::published(const std::string& principal, std::uint32_t number, std::uint32_t bytes,
                       Certainty certainty) {
  lanes_[principal].entries[number] = {bytes, certainty, false};
}

void Ledger::taken(const Reply& drained) {
  reported_ += drained.ended_loss;
  for (const Taken& message : drained.messages) take(message);
}

void Ledger::take(const Taken& message) {
  ++taken_messages_;
  const std::uint32_t number = number_in(message.payload);
  const std::string what = message.principal + " " + std::to_string(number);
  Lane& lane = lanes_[message.principal];
  const auto found = lane.entries.find(number);
  if (found == lane.entries.end()) return complain("took " + what + ", which nobody published");
  Entry& entry = found->second;
  if (message.payload != payload_of(message.principal, number, entry.bytes) ||
      message.topic != kTopic)
    complain("took " + what + ", garbled");
  if (entry.taken) complain("took " + what + " twice");
  if (number < lane.newest_taken) complain("took " + what + " out of order");
  if (message.sequence <= lane.newest_sequence)
    complain("took " + what + " with sequence number " + std::to_string(message.sequence) +
             " after " + std::to_string(lane.newest_sequence));
  // Those between that nobody knows to have been published were, or the order would not hold.
  const auto missing = static_cast<std::uint64_t>(
      std::count_if(lane.entries.upper_bound(lane.newest_taken), found,
                    [](const auto& each) { return !each.second.taken; }));
  if (message.lost_messages > missing)
    complain("says that " + std::to_string(message.lost_messages) + " are lost before " + what +
             ", but only " + std::to_string(missing) + " were not taken");
  entry.taken = true;
  reported_ += message.lost_messages;
  lane.newest_taken = std::max(lane.newest_taken, number);
  lane.newest_sequence = message.sequence;
  newest_sequence_ = std::max(newest_sequence_, message.sequence);
}

bool Ledger::all_came() const {
  std::uint64_t missing = 0;
  for (const auto& [principal, lane] : lanes_) {
    for (const auto& [number, entry] : lane.entries)
      missing += !entry.taken && entry.certainty == Certainty::certain ? 1 : 0;
  }
  return missing <= reported_;
}

std::string Ledger::settle() const {
  std::uint64_t certain = 0;
  std::uint64_t maybe = 0;
  std::string which;
  for (const auto& [principal, lane] : lanes_) {
    for (const auto& [number, entry] : lane.entries) {
      if (entry.taken) continue;
      const bool surely = entry.certainty == Certainty::certain;
      ++(surely ? certain : maybe);
      if (surely && which.size() < 200) which += " " + principal + "#" + std::to_string(number);
    }
  }
  std::string all = complaints_;
  if (reported_ < certain && !worker_died_)
    all += std::to_string(certain) + " messages are missing and only " + std::to_string(reported_) +
           " are reported as lost:" + which + "; ";
  if (reported_ > certain + maybe)
    all += std::to_string(reported_) + " messages are reported as lost, only " +
           std::to_string(certain) + " (perhaps " + std::to_string(maybe) + " more) are missing; ";
  return all;
}

}  // namespace fairlead::killing
