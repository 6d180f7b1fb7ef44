#include "delivery/fair_share.hpp"

#include <algorithm>

#include "delivery/oldest_head.hpp"

namespace fairlead::broker {

void FairShare::prepare(shm::Lane lane) {
  several_.set(lane, several_.at(lane));  // grows here, where throwing is allowed
  single_.set(lane, single_.at(lane));
}

void FairShare::appended(shm::Lane lane, std::uint64_t, std::uint64_t) noexcept { changed(lane); }

void FairShare::changed(shm::Lane lane) noexcept {
  const std::uint64_t depth = writer_.in_use(lane) ? writer_.depth(lane) : 0;
  // A message may cost nothing but its topic, never nothing at all: zero means absent.
  several_.set(lane, depth >= 2 ? writer_.queued_bytes(lane) : 0);
  single_.set(lane, depth == 1 ? writer_.queued_bytes(lane) : 0);
}

std::optional<shm::Lane> FairShare::victim(const Arrival& arrival) noexcept {
  struct Candidate {
    std::uint64_t bytes;
    shm::Lane lane;
  };
  Candidate several{several_.maximum(), static_cast<shm::Lane>(several_.index_of_maximum())};
  const Candidate single{single_.maximum(), static_cast<shm::Lane>(single_.index_of_maximum())};
  std::uint64_t active = writer_.open_lanes();
  if (!arrival.lane) {
    ++active;
  } else if (writer_.depth(*arrival.lane) > 0) {
    const std::uint64_t with_arrival = writer_.queued_bytes(*arrival.lane) + arrival.cost;
    if (with_arrival > several.bytes) several = {with_arrival, *arrival.lane};
  }
  const std::uint64_t share = budget_ / std::max<std::uint64_t>(active, 1);
  if (several.bytes > share) return several.lane;
  if (single.bytes > share) return single.lane;
  if (several.bytes == 0 && single.bytes == 0) return std::nullopt;
  return several.bytes >= single.bytes ? several.lane : single.lane;
}

std::unique_ptr<Eviction> make_eviction(shm::EvictionPolicy policy, const shm::RouteWriter& writer,
                                        std::uint64_t budget_bytes) {
  switch (policy) {
    case shm::EvictionPolicy::oldest_head:
      return std::make_unique<OldestHead>(writer);
    case shm::EvictionPolicy::fair_share:
      return std::make_unique<FairShare>(writer, budget_bytes);
    case shm::EvictionPolicy::reject:
    case shm::EvictionPolicy::policy_default:  // never in a route
      break;
  }
  return nullptr;
}

}  // namespace fairlead::broker
