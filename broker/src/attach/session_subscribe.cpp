// Subscriptions of an attached guest.
#include <algorithm>

#include <fairlead/broker/permissions.hpp>

#include "attach/packet.hpp"
#include "attach/session.hpp"
#include "policy/limits_of.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {

namespace control = shm::control;

namespace {

std::uint32_t whole_pages(std::uint64_t lanes) noexcept {
  const std::uint64_t rounded =
      (lanes + shm::kLanesPerPage - 1) / shm::kLanesPerPage * shm::kLanesPerPage;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(rounded, shm::kMaximumLanesPerRoute));
}

bool texts_bounded(const control::Subscribe& packet) noexcept {
  return bounded(packet.pattern) && bounded(packet.admitted_principal);
}

}  // namespace

struct Session::RoutePlan {
  shm::RouteIdentity identity{};
  shm::Backing backing = shm::Backing::named;
  std::uint32_t hold_slots = 0;
  QuotaCharge charge;  // given back under the mutex only
};

shm::Backing Session::choose_backing(const Guest& guest, control::BackingWish wish) const {
  if (wish == control::BackingWish::automatic) wish = state_.options.backing;
  switch (wish) {
    case control::BackingWish::named:
      return shm::Backing::named;
    case control::BackingWish::sealed:
      return shm::Backing::sealed;
    case control::BackingWish::automatic:
      break;
  }
  // Sealing costs a full-size segment. It is worth that where it makes the boundary hold.
  const bool sealing_helps =
      guest.boundary.boundary == shm::Boundary::enforced &&
      judge_boundary(guest.facts, shm::Backing::named).boundary != shm::Boundary::enforced;
  return sealing_helps ? shm::Backing::sealed : shm::Backing::named;
}

// Policy, then quota, then numbers; nothing is allocated yet. False: refused.
bool Session::plan_route(const control::Subscribe& packet, RoutePlan& plan) {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string sentence;
  {
    const std::lock_guard lock(state_.mutex);
    Guest& guest = *state_.find_guest(guest_);
    SubscriptionDecision decision =
        decide_subscription(*guest.rule, guest.principal,
                            {.pattern = packet.pattern.view(),
                             .admission = packet.admission,
                             .admitted_principal = packet.admitted_principal.view(),
                             .eviction = packet.eviction,
                             .budget_bytes = packet.budget_bytes,
                             .cap_bytes = packet.cap_bytes,
                             .lanes = packet.lane_capacity});
    if (!decision.allowed) {
      code = decision.code;
      sentence = std::move(decision.sentence);
    } else if (packet.backing > control::BackingWish::sealed) {
      sentence = refusals::unknown_number("backing", static_cast<std::uint64_t>(packet.backing));
    } else {
      shm::RouteIdentity& identity = plan.identity;
      plan.backing = choose_backing(guest, packet.backing);
      identity.capsule = guest.capsule;
      identity.eviction = decision.eviction;
      identity.admission = decision.admission;
      identity.boundary = judge_boundary(guest.facts, plan.backing).boundary;
      identity.guest_user = guest.user;
      identity.budget_bytes = decision.budget_bytes;
      identity.cap_bytes = decision.cap_bytes;
      identity.lane_capacity = whole_pages(decision.lanes);
      identity.guest_process = static_cast<std::uint32_t>(guest.process);
      identity.arena_offset = shm::kRouteArenaOffset;
      identity.pattern.assign(packet.pattern.view());
      identity.owner.assign(guest.principal);
      identity.admitted_principal.assign(decision.admitted_principal);
      // A sealed segment has its full size from the start; a named one what is in it.
      const std::uint64_t bytes = plan.backing == shm::Backing::sealed
                                      ? route_segment_bytes(identity)
                                      : identity.budget_bytes;
      auto account = state_.quotas.account_of(guest.payer, quota_of(*guest.rule));
      auto charged = account->charge({.routes = 1,
                                      .budget_bytes = bytes,
                                      .descriptors = packet.wants_descriptor != 0 ? 3U : 2U});
      if (auto* charge = std::get_if<QuotaCharge>(&charged)) {
        plan.charge = std::move(*charge);
        plan.hold_slots = static_cast<std::uint32_t>(guest.rule->quota.hold_slots);
        identity.subscription = state_.table.take_subscription();
        identity.route_id = identity.subscription;
        return true;
      }
      code = ErrorCode::quota_exceeded;
      sentence = refusals::quota(std::get<QuotaRefusal>(charged));
    }
  }
  refuse(packet.header.request, code, sentence);
  return false;
}

void Session::on_subscribe(const control::Subscribe& packet) {
  if (!texts_bounded(packet)) return violate("sent a text longer than its field");
  costly_ = true;
  RoutePlan plan;
  if (!plan_route(packet, plan)) return;
  try {
    make_route(packet, plan);
  } catch (const Error& error) {
    {
      const std::lock_guard lock(state_.mutex);
      plan.charge.release();
    }
    refuse(packet.header.request, error.code(), error.what());
  } catch (...) {
    const std::lock_guard lock(state_.mutex);
    plan.charge.release();
    throw;
  }
}

void Session::make_route(const control::Subscribe& packet, RoutePlan& plan) {
  const NewRoute made =
      create_route(state_.table.stamp(), plan.identity, plan.backing, packet.wants_descriptor != 0);
  RouteId id = 0;
  {
    const std::lock_guard lock(state_.mutex);
    Guest& guest = *state_.find_guest(guest_);
    id = state_.add_route(guest, made,
                          BrokerState::make_route(made, guest.gates.gate_for(packet.staged != 0)),
                          {.identity = plan.identity,
                           .sealed = plan.backing == shm::Backing::sealed,
                           .claimed_epoch = state_.table.epoch(),
                           .charge = std::move(plan.charge)});
    state_.delivery.find(id)->limit_holds(plan.hold_slots);
  }
  log(LogLevel::info,
      std::string("subscribed, ") + (plan.backing == shm::Backing::sealed ? "sealed" : "named") +
          (packet.staged != 0 ? ", staged" : ""),
      &plan.identity);
  send_subscribed(packet, plan, made, id);
}

void Session::send_subscribed(const control::Subscribe& packet, const RoutePlan& plan,
                              const NewRoute& made, RouteId id) {
  const shm::RouteIdentity& identity = plan.identity;
  auto answer = make_packet<control::Subscribed>(control::Kind::subscribed, packet.header.request);
  answer.subscription = identity.subscription;
  answer.route_segment_bytes = made.memory->segment().maximum_bytes();
  answer.cursor_segment_bytes = made.memory->cursors().size();
  answer.lane_capacity = identity.lane_capacity;
  answer.boundary = identity.boundary;
  answer.sealed = plan.backing == shm::Backing::sealed ? 1 : 0;
  answer.hold_slots = plan.hold_slots;
  answer.has_descriptor = made.guest_wake.valid() ? 1 : 0;
  const Sent sent =
      send_with(bytes_of(answer), packet.header.request,
                {made.guest_segment.get(), made.guest_cursors.get(), made.guest_wake.get()});
  if (sent != Sent::too_many_descriptors) return;
  Remains remains;
  {
    const std::lock_guard lock(state_.mutex);
    remains = state_.end_route(id, shm::RouteState::closed, true);
  }
  refuse(packet.header.request, ErrorCode::limit,
         "the kernel lets the broker's user have no more descriptors in flight: try again later");
}

void Session::on_unsubscribe(const control::Unsubscribe& packet) {
  if (packet.unmapped > 1) {
    return refuse(packet.header.request, ErrorCode::invalid_argument,
                  refusals::unknown_number("unmapped", packet.unmapped));
  }
  bool ends = false;
  bool known = false;
  {
    Remains remains;  // destroyed after the lock
    const std::lock_guard lock(state_.mutex);
    Guest& guest = *state_.find_guest(guest_);
    const bool unmapped = packet.unmapped == 1;  // its own word; a lie hurts the liar
    const auto id = state_.find_route(guest, packet.subscription);
    ends = id.has_value();
    if (ends) remains = state_.end_route(*id, shm::RouteState::closed, unmapped);
    known = ends || (unmapped && state_.take_back_ended(guest, packet.subscription, remains));
  }
  costly_ = true;
  if (!known) {
    return refuse(packet.header.request, ErrorCode::not_found,
                  "this guest has no subscription " + std::to_string(packet.subscription));
  }
  if (ends) log(LogLevel::info, "unsubscribed from " + std::to_string(packet.subscription));
  answer_done(packet.header.request);
}

void Session::end_route(std::uint64_t subscription, shm::RouteState state, shm::Refusal reason,
                        std::string_view sentence) {
  shm::RouteIdentity identity;
  Remains remains;  // destroyed after the lock
  {
    const std::lock_guard lock(state_.mutex);
    const Guest* guest = state_.find_guest(guest_);
    const auto id = guest != nullptr ? state_.find_route(*guest, subscription) : std::nullopt;
    if (!id) return;
    identity = state_.delivery.find(*id)->identity();
    if (state == shm::RouteState::poisoned) ++state_.counters.poisoned_routes;
    remains = state_.end_route(*id, state, false);
  }
  log(LogLevel::warning, "ended: " + std::string(sentence), &identity);
  auto packet = make_packet<control::Ended>(control::Kind::ended, 0);
  packet.subscription = subscription;
  packet.state = state;
  packet.reason = reason;
  assign_cut(packet.sentence, sentence);
  send(bytes_of(packet));
}

void Session::on_set_gate(const control::SetGate& packet) {
  if (packet.open > 1) {
    return refuse(packet.header.request, ErrorCode::invalid_argument,
                  refusals::unknown_number("gate position", packet.open));
  }
  {
    const std::lock_guard lock(state_.mutex);
    state_.set_gate(*state_.find_guest(guest_), packet.open == 1);
  }
  log(LogLevel::info, packet.open == 1 ? "opened its gate" : "retired its gate");
  answer_done(packet.header.request);
}

}  // namespace fairlead::broker
