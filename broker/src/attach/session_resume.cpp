// A guest that a broker of an earlier epoch knew asks for what it had (R34, decision 0050).
#include <iterator>
#include <map>

#include "attach/outbox_memory.hpp"
#include "attach/packet.hpp"
#include "attach/session.hpp"
#include "policy/limits_of.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {

namespace control = shm::control;

// Its segment was sealed, so only the guest could still read this. It can only lie about its own.
void Session::on_pushed_before(const control::PushedBefore& packet) {
  if (packet.count > control::kMaximumPushMarks)
    return violate("sent more marks than a packet holds");
  const std::lock_guard lock(state_.mutex);
  const auto id = state_.find_route(*state_.find_guest(guest_), packet.subscription);
  if (!id || !state_.routes.at(*id).interim) return;  // ended meanwhile
  Route& route = *state_.delivery.find(*id);
  KnownPushes& reported = state_.routes.at(*id).reported;
  for (std::uint32_t each = 0; each < packet.count; ++each) {
    const shm::PushMark& push = packet.pushes[each];
    const bool resumable = state_.resumable_outboxes.contains(push.outbox);
    // Of a publisher that was back, sent again and is gone now: what it sent waits here. One per
    // lane is what an honest guest has.
    if (resumable || reported.size() < route.identity().lane_capacity) reported.add(push);
    if (resumable) route.known().add(push);
  }
}

bool Session::plan_offer(const control::ResumeRoute& packet, OfferedRoute& offered) {
  ErrorCode code = ErrorCode::not_found;
  std::string sentence = "this guest has no subscription " + std::to_string(packet.subscription) +
                         " that waits for it";
  {
    const std::lock_guard lock(state_.mutex);
    const Guest& guest = *state_.find_guest(guest_);
    const auto id = state_.find_route(guest, packet.subscription);
    // Asked again: its guest had no use for the first answer.
    for (auto offer = offers_.begin(); offer != offers_.end();) {
      const bool of_it = offer->second.subscription == packet.subscription;
      if (of_it) state_.take_back(offer->second);
      offer = of_it ? offers_.erase(offer) : std::next(offer);
    }
    if (id && state_.routes.at(*id).interim) {
      offered.id = *id;
      offered.subscription = packet.subscription;
      offered.identity = state_.delivery.find(*id)->identity();
      const shm::Backing backing = state_.routes.at(*id).sealed
                                       ? shm::Backing::sealed
                                       : choose_backing(guest, control::BackingWish::automatic);
      offered.sealed = backing == shm::Backing::sealed;
      offered.identity.guest_user = guest.user;
      offered.identity.guest_process = static_cast<std::uint32_t>(guest.process);
      offered.identity.boundary = judge_boundary(guest.facts, backing).boundary;
      offered.hold_slots = static_cast<std::uint32_t>(guest.rule->quota.hold_slots);
      const std::uint64_t bytes =
          offered.sealed ? route_segment_bytes(offered.identity) : offered.identity.budget_bytes;
      auto account = state_.quotas.account_of(guest.payer, quota_of(*guest.rule));
      // Instead of what the interim segment costs: a guest at its limit could not come back.
      state_.routes.at(*id).charge.release();
      auto charged = account->charge({.routes = 1,
                                      .budget_bytes = bytes,
                                      .descriptors = packet.wants_descriptor != 0 ? 3U : 2U});
      if (auto* charge = std::get_if<QuotaCharge>(&charged)) {
        offered.charge = std::move(*charge);
        offered.identity.route_id = state_.table.take_subscription();
        return true;
      }
      code = ErrorCode::quota_exceeded;
      sentence = refusals::quota(std::get<QuotaRefusal>(charged));
      state_.take_back(offered);
    }
  }
  refuse(packet.header.request, code, sentence);
  return false;
}

void Session::on_resume_route(const control::ResumeRoute& packet) {
  costly_ = true;
  if (offers_.contains(packet.header.request)) return violate("used a request number twice");
  OfferedRoute offered;
  if (!plan_offer(packet, offered)) return;
  try {
    offer(packet, std::move(offered));
  } catch (const Error& error) {
    {
      const std::lock_guard lock(state_.mutex);
      state_.take_back(offered);
    }
    refuse(packet.header.request, error.code(), error.what());
  } catch (...) {
    const std::lock_guard lock(state_.mutex);
    state_.take_back(offered);
    throw;
  }
}

// Empty and not to be taken from yet. What waits for the guest goes there when it has said that it
// has the segment: see BrokerState::claim_route().
void Session::offer(const control::ResumeRoute& packet, OfferedRoute&& offered) {
  offered.made = create_route(state_.table.stamp(), offered.identity,
                              offered.sealed ? shm::Backing::sealed : shm::Backing::named,
                              packet.wants_descriptor != 0);
  shm::Segment& segment = offered.made.memory->segment().segment();
  reinterpret_cast<shm::RouteHeader*>(segment.data())
      ->state.store(shm::RouteState::filling, std::memory_order_release);
  auto answer = make_packet<control::Subscribed>(control::Kind::subscribed, packet.header.request);
  answer.subscription = offered.subscription;
  answer.route_segment_bytes = segment.size();
  answer.cursor_segment_bytes = offered.made.memory->cursors().size();
  answer.lane_capacity = offered.identity.lane_capacity;
  answer.boundary = offered.identity.boundary;
  answer.sealed = offered.sealed ? 1 : 0;
  answer.hold_slots = offered.hold_slots;
  answer.has_descriptor = offered.made.guest_wake.valid() ? 1 : 0;
  {
    const std::lock_guard lock(state_.mutex);
    answer.claimed_epoch = state_.routes.at(offered.id).claimed_epoch;
  }
  const Sent sent = send_with(bytes_of(answer), packet.header.request,
                              {offered.made.guest_segment.get(), offered.made.guest_cursors.get(),
                               offered.made.guest_wake.get()});
  if (sent == Sent::yes) {
    offers_.emplace(packet.header.request, std::move(offered));
    return;
  }
  if (sent == Sent::too_many_descriptors)
    throw Error(ErrorCode::limit,
                "the kernel lets the broker's user have no more descriptors in flight: try again "
                "later");
  const std::lock_guard lock(state_.mutex);
  state_.take_back(offered);
}

void Session::claim_offered(std::uint64_t request) {
  const auto found = offers_.find(request);
  if (found == offers_.end()) return;
  OfferedRoute offered = std::move(found->second);
  offers_.erase(found);
  costly_ = true;
  bool claimed = false;
  {
    Remains remains;  // destroyed after the lock
    const std::lock_guard lock(state_.mutex);
    claimed = state_.claim_route(offered, remains);
    if (!claimed) state_.take_back(offered);
  }
  if (claimed) {
    log(LogLevel::info, "came back for its route", &offered.identity);
  } else {
    end_route(offered.subscription, shm::RouteState::closed, shm::Refusal::no_memory,
              "the route could not be given back to its guest");
  }
}

bool Session::plan_resumed_outbox(const control::ResumeOutbox& packet, OutboxPlan& plan) {
  ErrorCode code = ErrorCode::not_found;
  std::string sentence = "this guest has no such outbox that waits for it";
  {
    const std::lock_guard lock(state_.mutex);
    Guest& guest = *state_.find_guest(guest_);
    if (packet.first_number == 0) {
      code = ErrorCode::invalid_argument;
      sentence = "publish numbers begin with 1";
    } else if (guest.outbox_slot && guest.outbox_id == packet.outbox &&
               state_.outboxes.find(guest_) == nullptr) {
      plan.ring_bytes = outbox_ring_bytes(packet.ring_bytes);
      auto account = state_.quotas.account_of(guest.payer, quota_of(*guest.rule));
      auto charged = account->charge({.descriptors = 2, .outbox_bytes = plan.ring_bytes});
      if (auto* charge = std::get_if<QuotaCharge>(&charged)) {
        plan.charge = std::move(*charge);
        describe_outbox(guest, packet.outbox, plan);
        plan.first_number = packet.first_number;
        plan.resumed = true;
        return true;
      }
      code = ErrorCode::quota_exceeded;
      sentence = refusals::quota(std::get<QuotaRefusal>(charged));
    }
  }
  refuse(packet.header.request, code, sentence);
  return false;
}

void Session::on_resume_outbox(const control::ResumeOutbox& packet) {
  costly_ = true;
  OutboxPlan plan;
  if (plan_resumed_outbox(packet, plan)) open_planned(packet.header.request, plan);
}

}  // namespace fairlead::broker
