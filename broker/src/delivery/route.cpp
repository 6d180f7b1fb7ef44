#include "delivery/route.hpp"

#include <sys/socket.h>

#include <new>
#include <utility>

#include <fairlead/shm/constants.hpp>

namespace fairlead::broker {

using shm::Lane;
using shm::LossReason;
using shm::Refusal;
using shm::RouteWriter;

Route::Route(shm::GrowableMemory& segment, std::byte* cursors, std::shared_ptr<const Gate> gate,
             int wake_descriptor)
    : writer_(segment, cursors),
      identity_(writer_.header().identity),
      admitted_(identity_.admitted_principal.view()),
      gate_(std::move(gate)),
      eviction_(make_eviction(identity_.eviction, writer_, identity_.budget_bytes)),
      wake_descriptor_(wake_descriptor) {}

Route::~Route() = default;

bool Route::admits(std::string_view principal, std::uint64_t sequence) const noexcept {
  if (closed_ || !gate_->admits(sequence)) return false;
  switch (identity_.admission) {
    case shm::AdmissionKind::policy_default:  // never in a route
      break;
    case shm::AdmissionKind::all:
      return true;
    case shm::AdmissionKind::exactly:
      return principal == admitted_;
    case shm::AdmissionKind::principal_or_system:
      return principal == admitted_ || principal.empty();
  }
  return false;
}

std::optional<Lane> Route::find(std::string_view principal) const noexcept {
  const auto found = lanes_.find(principal);
  if (found == lanes_.end()) return std::nullopt;
  return found->second;
}

PushOutcome Route::refuse(Refusal reason, std::optional<Lane> lane,
                          std::uint32_t evicted) noexcept {
  writer_.count_refusal(reason, lane);
  // Kept for the message, or opened for it: nothing would tell of it again (R10).
  abandon_if_empty(lane);
  return {reason, evicted};
}

// ---- what the guest has done --------------------------------------------------------------------

// Ends the life of an empty lane. What it lost since its last delivered message can no longer be
// told by a message of its own (R29).
// False if it has to stay for now (R34).
bool Route::give_back(Lane lane) {
  if (in_flight_ != nullptr && in_flight_->contains(writer_.newest_push(lane))) {
    if (is_postponed_.size() <= lane) is_postponed_.resize(lane + std::size_t{1});
    if (!is_postponed_[lane]) postponed_.push_back(lane);
    is_postponed_[lane] = true;
    return false;
  }
  lanes_.erase(writer_.principal(lane));
  const LossReason reason = lane < loss_reasons_.size() ? loss_reasons_[lane] : LossReason::none;
  writer_.close_lane(lane, reason);
  if (eviction_) eviction_->changed(lane);
  return true;
}

void Route::give_back_postponed(std::optional<Lane> keep) {
  const std::vector<Lane> lanes = std::exchange(postponed_, {});
  for (const Lane lane : lanes) is_postponed_[lane] = false;
  for (const Lane lane : lanes) {
    if (writer_.in_use(lane) && writer_.depth(lane) == 0 && lane != keep) give_back(lane);
  }
}

// Looks at one lane; gives it back when it is empty, unless it is the one to keep. True when the
// guest has taken something.
bool Route::look(Lane lane, std::optional<Lane> keep) {
  const RouteWriter::Observation seen = writer_.observe(lane);
  if (seen.poisoned) return false;
  if (seen.messages > 0 && eviction_) eviction_->changed(lane);
  const bool freed = writer_.depth(lane) == 0 && lane != keep && give_back(lane);
  return freed || seen.messages > 0;
}

// Goes through what the guest reported since the last time until `enough()`, or there is no more,
// or too many entries led to nothing. An honest guest reports each claim once, and each claim is of
// a message that was pushed: so pushes pay for entries, and for a sweep over all lanes once in as
// many claims as lap the log. Only a liar ever runs out of credit. True when `enough()`.
template <class Enough>
bool Route::absorb_reports(std::optional<Lane> keep, Enough&& enough) {
  while (!enough()) {
    Lane lane = 0;
    const RouteWriter::Report report = writer_.next_report(lane);
    if (report == RouteWriter::Report::none) return false;
    if (report == RouteWriter::Report::lane && look(lane, keep)) continue;
    if (report_credit_ == 0 || reports_left_ == 0) return false;
    --report_credit_;
    --reports_left_;
  }
  return true;
}

// Credit is never taken away: what a guest has not taken yet, it may still take message by message.
void Route::earn_report_credit() noexcept {
  report_credit_ += 1 + identity_.lane_capacity / shm::kDrainReportEntries;
  begin_looking();
}

// What one operation may cost: the rest of a sweep, and then another one, or all of the log.
void Route::begin_looking() noexcept {
  reports_left_ = shm::kDrainReportEntries + 2 * identity_.lane_capacity;
}

void Route::maintain() noexcept {
  begin_looking();
  try {
    absorb_reports(std::nullopt, [] { return false; });
    give_back_postponed(std::nullopt);
    writer_.reclaim();
    writer_.trim(1);
  } catch (const std::bad_alloc&) {
    // Book-keeping had no memory: a chunk stays unused until the route ends.
  }
}

// ---- making room --------------------------------------------------------------------------------

bool Route::evict_from(Lane lane, std::optional<Lane> keep, LossReason reason,
                       std::uint32_t& evicted) {
  if (loss_reasons_.size() <= lane) loss_reasons_.resize(lane + std::size_t{1});
  switch (writer_.evict_head(lane)) {
    case RouteWriter::Evict::poisoned:
      return false;
    case RouteWriter::Evict::evicted:
      loss_reasons_[lane] = reason;
      ++evicted;
      break;
    case RouteWriter::Evict::nothing:
      break;  // the guest took it just now, which is room as well
  }
  if (eviction_) eviction_->changed(lane);
  if (writer_.depth(lane) == 0 && lane != keep) give_back(lane);
  return true;
}

// One head goes, by policy. False when there is none, or the route is poisoned.
bool Route::evict_one(std::optional<Lane> arriving, std::uint64_t cost, LossReason reason,
                      std::uint32_t& evicted) {
  if (!eviction_) return false;
  while (const auto victim = eviction_->victim({arriving, cost})) {
    const std::uint64_t before = writer_.head(*victim);
    if (writer_.observe(*victim).poisoned) return false;
    if (writer_.head(*victim) == before) return evict_from(*victim, arriving, reason, evicted);
    // The guest has been there: that changes who is the right one, and may be room enough.
    eviction_->changed(*victim);
    if (writer_.depth(*victim) == 0 && *victim != arriving) give_back(*victim);
    return true;
  }
  return false;
}

// R15, R17, R21: until the message fits into the budget.
Refusal Route::make_room(std::uint64_t cost, std::optional<Lane> arriving, std::uint32_t& evicted) {
  const auto fits = [&] { return writer_.queued_bytes() + cost <= identity_.budget_bytes; };
  if (fits()) return Refusal::none;
  // What the guest has taken is room; it is asked before anything is evicted.
  while (!absorb_reports(arriving, fits)) {
    if (writer_.poisoned()) return Refusal::route_closed;
    if (!evict_one(arriving, cost, LossReason::budget, evicted)) {
      if (fits()) break;
      return writer_.poisoned() ? Refusal::route_closed : Refusal::full;
    }
  }
  return Refusal::none;
}

// R10, R19: a lane for the principal.
Refusal Route::make_lane(std::string_view principal, std::optional<Lane>& lane, std::uint64_t cost,
                         std::uint32_t& evicted) {
  while (!lane) {
    lane = writer_.open_lane(principal);
    if (lane) {
      try {
        lanes_.emplace(principal, *lane);
      } catch (...) {
        writer_.close_lane(*lane, LossReason::none);
        throw;
      }
      break;
    }
    if (writer_.lanes_full() && !postponed_.empty()) {
      give_back_postponed(std::nullopt);
      if (!writer_.lanes_full()) continue;
    }
    const bool full = writer_.lanes_full();
    if (full && absorb_reports(std::nullopt, [&] { return !writer_.lanes_full(); })) continue;
    if (!full) {  // no memory for a page of lanes
      const Refusal refusal = memory_refusal();
      if (make_memory(std::nullopt, cost, evicted)) continue;
      return writer_.poisoned() ? Refusal::route_closed : refusal;
    }
    if (!evict_one(std::nullopt, cost, LossReason::lanes_full, evicted))
      return writer_.poisoned() ? Refusal::route_closed : Refusal::lanes_full;
  }
  return Refusal::none;
}

// Everything that comes before the bytes are written: budget, depth of the lane, the lane itself.
Refusal Route::place(std::string_view principal, std::uint64_t cost, std::optional<Lane>& lane,
                     std::uint32_t& evicted) {
  lane = find(principal);
  if (lane) {
    const RouteWriter::Observation seen = writer_.observe(*lane);
    if (seen.poisoned) return Refusal::route_closed;
    if (seen.messages > 0 && eviction_) eviction_->changed(*lane);
  }
  // A lane that is full gives up its own head first: nobody else's message goes for what that
  // frees.
  if (lane && writer_.depth(*lane) >= shm::kMaximumLaneMessages) {  // R19
    if (!eviction_) return Refusal::full;
    if (!evict_from(*lane, lane, LossReason::lane_full, evicted)) return Refusal::route_closed;
  }
  if (const Refusal refusal = make_room(cost, lane, evicted); refusal != Refusal::none)
    return refusal;
  const Refusal refusal = make_lane(principal, lane, cost, evicted);
  if (refusal == Refusal::none && eviction_) eviction_->prepare(*lane);
  return refusal;
}

// ---- publishing ---------------------------------------------------------------------------------

void Route::pushed(Lane lane, const shm::MessageStamp& stamp) {
  if (eviction_) eviction_->appended(lane, writer_.tail(lane) - 1, stamp.sequence);
}

PushOutcome Route::push(std::string_view principal, const shm::MessageStamp& stamp,
                        std::string_view topic, std::span<const std::byte> payload) noexcept {
  std::optional<Lane> lane;
  std::uint32_t evicted = 0;
  earn_report_credit();
  try {
    if (closed_ || writer_.poisoned()) return {Refusal::route_closed, 0};
    const std::uint64_t cost = payload.size() + topic.size();
    if (payload.size() > shm::kMaximumInlinePayloadBytes)
      return refuse(Refusal::larger_than_limit, find(principal), 0);  // R31
    if (cost > identity_.budget_bytes)
      return refuse(Refusal::larger_than_budget, find(principal), 0);  // R16
    const Refusal refusal = place(principal, cost, lane, evicted);
    if (refusal != Refusal::none) return refuse(refusal, lane, evicted);
    return append(*lane, stamp, topic, payload, evicted);
  } catch (const std::bad_alloc&) {
    return refuse(Refusal::no_memory, lane, evicted);
  }
}

bool Route::full_for(std::string_view principal, std::uint64_t cost) noexcept {
  if (eviction_ || closed_ || writer_.poisoned() || cost > identity_.budget_bytes) return false;
  begin_looking();
  try {
    const std::optional<Lane> lane = find(principal);
    if (lane && writer_.observe(*lane).poisoned) return false;
    std::uint32_t evicted = 0;
    if (make_room(cost, std::nullopt, evicted) == Refusal::full) return true;
    if (lane && writer_.in_use(*lane)) return writer_.depth(*lane) >= shm::kMaximumLaneMessages;
    return writer_.lanes_full() &&
           !absorb_reports(std::nullopt, [&] { return !writer_.lanes_full(); });
  } catch (const std::bad_alloc&) {
    return false;  // the push itself will say so
  }
}

// R15: the hard cap evicts as the budget does, but only while that can give memory back: what the
// guest still holds (R22) pins what is evicted after it. One step towards a chunk or a page; false
// when there is none left.
bool Route::make_memory(std::optional<Lane> arriving, std::uint64_t cost, std::uint32_t& evicted) {
  const bool out_of_memory = writer_.out_of_memory();  // the system's, which eviction does not help
  const std::uint64_t used = writer_.used_bytes();
  absorb_some(arriving);
  writer_.reclaim();
  if (writer_.used_bytes() < used) return true;
  return !out_of_memory && writer_.eviction_frees_memory() &&
         evict_one(arriving, cost, LossReason::segment_full, evicted);
}

Refusal Route::memory_refusal() const noexcept {
  if (writer_.poisoned()) return Refusal::route_closed;
  return writer_.out_of_memory() ? Refusal::no_memory : Refusal::segment_full;
}

PushOutcome Route::append(Lane lane, const shm::MessageStamp& stamp, std::string_view topic,
                          std::span<const std::byte> payload, std::uint32_t evicted) {
  if (writer_.needs_chunk(lane, payload.size(), topic.size())) absorb_some(lane);
  while (writer_.append(lane, stamp, topic, payload) != RouteWriter::Append::ok) {
    const Refusal refusal = memory_refusal();
    if (!writer_.fits_alone(lane, payload.size(), topic.size()) ||
        !make_memory(lane, payload.size() + topic.size(), evicted))
      return refuse(writer_.poisoned() ? Refusal::route_closed : refusal, lane, evicted);
  }
  pushed(lane, stamp);
  return {Refusal::none, evicted};
}

// Follows the guest a little way, for memory rather than budget.
void Route::absorb_some(std::optional<Lane> keep) {
  int left = 64;
  absorb_reports(keep, [&left] { return left-- == 0; });
}

std::optional<RouteWriter::Reservation> Route::reserve(std::string_view principal,
                                                       std::uint64_t payload_bytes,
                                                       std::uint64_t topic_bytes) noexcept {
  if (closed_ || writer_.poisoned() || payload_bytes > shm::kMaximumInlinePayloadBytes ||
      payload_bytes + topic_bytes > identity_.budget_bytes)
    return std::nullopt;
  try {
    return writer_.reserve(principal, payload_bytes, topic_bytes);
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

PushOutcome Route::commit(std::string_view principal, const RouteWriter::Reservation& loan,
                          const shm::MessageStamp& stamp, std::string_view topic) noexcept {
  std::optional<Lane> lane;
  std::uint32_t evicted = 0;
  Refusal refusal = Refusal::route_closed;
  earn_report_credit();
  try {
    if (!closed_ && !writer_.poisoned())
      refusal = place(principal, loan.payload.size() + topic.size(), lane, evicted);
    if (refusal == Refusal::none) {
      writer_.commit(*lane, loan, stamp, topic);
      pushed(*lane, stamp);
      return {Refusal::none, evicted};
    }
  } catch (const std::bad_alloc&) {
    refusal = Refusal::no_memory;
  }
  writer_.cancel(loan);
  return refuse(refusal, lane, evicted);
}

// A lane whose message then found no place.
void Route::abandon_if_empty(std::optional<Lane> lane) noexcept {
  if (!lane || !writer_.in_use(*lane) || writer_.depth(*lane) != 0) return;
  try {
    give_back(*lane);
  } catch (const std::bad_alloc&) {
    // Its chunks are lost to the segment until the route ends.
  }
}

void Route::settle() noexcept {
  bool armed = false;
  if (writer_.settle(armed)) writer_.wake();
  // A socket whose other end the guest has: it may be full or gone, it can not make us wait.
  if (armed && wake_descriptor_ >= 0)
    (void)::send(wake_descriptor_, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Route::begin_after(std::string_view principal, const RouteWriter::Loss& lost) {
  const auto lane = find(principal) ? std::nullopt : writer_.open_lane_after(principal, lost);
  if (!lane) return add_loss(lost, LossReason::budget);
  lanes_.emplace(principal, *lane);
}

void Route::open() noexcept {
  writer_.header().state.store(shm::RouteState::open, std::memory_order_release);
  signal_end();
}

void Route::close(shm::RouteState state) noexcept {
  closed_ = true;
  if (!writer_.poisoned()) writer_.header().state.store(state, std::memory_order_release);
  signal_end();
}

// Wakes all of them, asked or not.
void Route::signal_end() noexcept {
  writer_.move_doorbell();
  writer_.wake();
  if (wake_descriptor_ >= 0) (void)::send(wake_descriptor_, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace fairlead::broker
