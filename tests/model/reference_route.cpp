#include "reference_route.hpp"

#include <algorithm>
#include <tuple>

#include "reference_rules.hpp"

namespace fairlead::test {

using shm::EvictionPolicy;
using shm::LossReason;
using shm::Refusal;

namespace {

constexpr std::uint64_t kMostPayload = 5 * 1024 * 1024;  // R31
constexpr std::size_t kMostMessages = 16'384;            // R19

}  // namespace

bool ReferenceRoute::concerns(const std::string& topic, const std::string& principal) const {
  return !closed_ && settings_.gate->admits && reference_matches(settings_.pattern, topic) &&
         reference_admits(settings_.admission, settings_.admitted, principal);
}

ReferenceRoute::Pushed ReferenceRoute::refuse(Refusal reason, std::uint32_t evicted) {
  ++totals_.refused;
  ++totals_.refused_by_reason[static_cast<std::size_t>(reason)];
  return {reason, evicted};
}

bool ReferenceRoute::full_for(const std::string& principal, std::uint64_t cost) const {
  if (settings_.policy != EvictionPolicy::reject || closed_ || cost > settings_.budget)
    return false;
  if (!fits(cost)) return true;
  const auto found = lanes_.find(principal);
  if (found != lanes_.end()) return found->second->queue.size() >= kMostMessages;
  return lanes_.size() >= settings_.lanes;
}

// ---- who must go
// ---------------------------------------------------------------------------------

ReferenceRoute::Victim ReferenceRoute::oldest_head() const {
  Victim oldest = nullptr;
  for (const auto& [principal, lane] : lanes_) {
    if (lane->queue.empty()) continue;
    if (oldest == nullptr ||
        lane->queue.front().message.sequence < oldest->queue.front().message.sequence)
      oldest = lane.get();
  }
  return oldest;
}

ReferenceRoute::Victim ReferenceRoute::above_share(const ReferenceLane* arriving,
                                                   std::uint64_t cost) const {
  const std::uint64_t share = settings_.budget / (lanes_.size() + (arriving == nullptr ? 1 : 0));
  struct Best {
    std::uint64_t bytes = 0;
    Victim lane = nullptr;
    void offer(std::uint64_t candidate_bytes, Victim candidate) {
      const bool better = lane == nullptr || candidate_bytes > bytes ||
                          (candidate_bytes == bytes && candidate->slot < lane->slot);
      if (better) *this = {candidate_bytes, candidate};
    }
  } several, single;
  Victim own = nullptr;
  for (const auto& [principal, lane] : lanes_) {
    if (lane->queue.empty()) continue;
    (lane->queue.size() >= 2 ? several : single).offer(lane->bytes, lane.get());
    if (lane.get() == arriving) own = lane.get();
  }
  // The arriving message counts as if its lane held it already.
  if (own != nullptr && own->bytes + cost > several.bytes) several = {own->bytes + cost, own};
  if (several.bytes > share) return several.lane;
  if (single.bytes > share) return single.lane;
  return several.bytes >= single.bytes ? several.lane : single.lane;
}

ReferenceRoute::Victim ReferenceRoute::victim(const ReferenceLane* arriving,
                                              std::uint64_t cost) const {
  return settings_.policy == EvictionPolicy::fair_share ? above_share(arriving, cost)
                                                        : oldest_head();
}

void ReferenceRoute::evict(ReferenceLane& lane, const ReferenceLane* arriving, LossReason reason,
                           std::uint32_t& evicted) {
  const QueuedMessage gone = std::move(lane.queue.front());
  lane.queue.pop_front();
  lane.bytes -= gone.cost;
  lane.last_lost_sequence = gone.message.sequence;
  --queued_;
  queued_bytes_ -= gone.cost;
  ++totals_.evicted;
  totals_.evicted_bytes += gone.cost;
  ++evicted;
  if (lane.queue.empty() && &lane != arriving) end(lane, reason);
}

// R29: no message of this lane will ever tell what it lost.
void ReferenceRoute::end(ReferenceLane& lane, LossReason reason) {
  if (lane.next_count > lane.told_count) {
    ended_.messages += lane.next_count - lane.told_count;
    ended_.bytes += lane.next_bytes - lane.told_bytes;
    ended_.last_sequence = lane.last_lost_sequence;
    ended_.reason = reason;
  }
  lanes_.erase(std::string(lane.principal));
}

// ---- publishing
// ----------------------------------------------------------------------------------

std::optional<Refusal> ReferenceRoute::make_room(ReferenceLane* lane, std::uint64_t cost,
                                                 std::uint32_t& evicted) {
  const bool reject = settings_.policy == EvictionPolicy::reject;
  if (lane != nullptr && lane->queue.size() >= kMostMessages) {  // R19
    if (reject) return Refusal::full;
    evict(*lane, lane, LossReason::lane_full, evicted);
  }
  while (!fits(cost)) {  // R15
    if (reject) return Refusal::full;
    evict(*victim(lane, cost), lane, LossReason::budget, evicted);
  }
  while (lane == nullptr && lanes_.size() >= settings_.lanes) {  // R19
    if (reject) return Refusal::lanes_full;
    evict(*victim(nullptr, cost), nullptr, LossReason::lanes_full, evicted);
  }
  return std::nullopt;
}

ReferenceRoute::Pushed ReferenceRoute::push(const TakenMessage& message) {
  const std::uint64_t cost = message.payload.size() + message.topic.size();
  if (closed_) return {Refusal::route_closed, 0};
  if (message.payload.size() > kMostPayload) return refuse(Refusal::larger_than_limit, 0);
  if (cost > settings_.budget) return refuse(Refusal::larger_than_budget, 0);  // R16
  const auto found = lanes_.find(message.principal);
  LanePointer lane = found == lanes_.end() ? nullptr : found->second;
  std::uint32_t evicted = 0;
  if (const auto refusal = make_room(lane.get(), cost, evicted)) return refuse(*refusal, evicted);
  const bool opened = lane == nullptr;
  if (opened) {
    lane = std::make_shared<ReferenceLane>();
    lane->principal = message.principal;
    lanes_.emplace(message.principal, lane);
  }
  const bool was_empty = lane->queue.empty();
  lane->queue.push_back({message, cost, lane->next_count++, lane->next_bytes});
  lane->next_bytes += cost;
  lane->bytes += cost;
  ++totals_.published;
  totals_.published_bytes += cost;
  totals_.queued_high_water = std::max(totals_.queued_high_water, ++queued_);
  queued_bytes_ += cost;
  totals_.queued_bytes_high_water = std::max(totals_.queued_bytes_high_water, queued_bytes_);
  if (was_empty) rotation_.activated(lane);
  return {Refusal::none, evicted, opened};
}

void ReferenceRoute::name_slot(const std::string& principal, std::uint32_t slot) {
  lanes_.at(principal)->slot = slot;
}

// ---- draining
// ------------------------------------------------------------------------------------

ReferenceRoute::Drained ReferenceRoute::drain(std::uint64_t byte_budget, std::uint64_t most) {
  Drained drained;
  rotation_.join_activated(lanes_);
  std::uint64_t bytes = 0;
  while (drained.messages.size() < most) {
    ReferenceLane* lane = rotation_.next(byte_budget);
    if (lane == nullptr) break;
    if (!drained.messages.empty() && bytes + lane->queue.front().cost > byte_budget) break;  // R25
    QueuedMessage taken = std::move(lane->queue.front());
    lane->queue.pop_front();
    lane->bytes -= taken.cost;
    bytes += taken.cost;
    --queued_;
    queued_bytes_ -= taken.cost;
    ++totals_.delivered;
    totals_.delivered_bytes += taken.cost;
    taken.message.lost_messages = taken.count - lane->told_count;  // R29
    taken.message.lost_bytes = taken.bytes_before - lane->told_bytes;
    lane->told_count = taken.count + 1;
    lane->told_bytes = taken.bytes_before + taken.cost;
    drained.messages.push_back(std::move(taken.message));
    if (lane->queue.empty()) lanes_.erase(std::string(lane->principal));  // R10
    rotation_.emitted(taken.cost);
  }
  drained.ended = ended_;
  ended_ = {};
  return drained;
}

}  // namespace fairlead::test
