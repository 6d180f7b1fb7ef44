#include "outbox/patient_fan_out.hpp"

#include <algorithm>
#include <utility>

namespace fairlead::broker {

PatientFanOut::Progress PatientFanOut::proceed(Delivery& delivery,
                                               std::span<const std::byte> payload,
                                               std::size_t most_routes, bool patient,
                                               std::size_t& visited) {
  // A pass goes on where the last call paused: one that asks all over again may never find out that
  // every route is full, and its publisher would keep the service thread busy instead of waiting.
  if (!patient || fan_out_.stamp.sequence != sequence_) full_ = 0;
  sequence_ = fan_out_.stamp.sequence;
  for (std::size_t left = most_routes; !fan_out_.finished();) {
    const std::size_t remaining = fan_out_.routes.size() - fan_out_.next;
    if (full_ == remaining) {
      full_ = 0;
      return Progress::blocked;
    }
    if (left == 0) return Progress::paused;
    bool blocked = false;
    const std::size_t done =
        delivery.proceed(fan_out_, payload, std::min(left, remaining - full_), patient, blocked);
    left -= done;
    visited += done;
    if (!blocked) continue;
    // Asking a full route is work as well.
    if (left > 0) --left;
    ++visited;
    ++full_;
    std::swap(fan_out_.routes[fan_out_.next], fan_out_.routes[fan_out_.routes.size() - full_]);
  }
  full_ = 0;
  return Progress::finished;
}

void give_way(FanOut& later, const FanOut& earlier) {
  const auto waits_for = [&](const auto& route) {
    return std::find(earlier.routes.begin() + static_cast<std::ptrdiff_t>(earlier.next),
                     earlier.routes.end(), route) != earlier.routes.end();
  };
  const std::size_t removed = std::erase_if(later.routes, waits_for);
  if (removed == 0) return;
  later.report.refused += static_cast<std::uint32_t>(removed);
  if (later.report.reason == Refusal::none) later.report.reason = Refusal::full;
}

}  // namespace fairlead::broker
