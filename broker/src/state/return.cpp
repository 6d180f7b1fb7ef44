// Guests that a broker of an earlier epoch knew: who is away, and what each gets when it is back.
#include <algorithm>
#include <atomic>
#include <utility>

#include <fairlead/shm/route_remains.hpp>

#include "delivery/copy_forward.hpp"
#include "policy/limits_of.hpp"
#include "state/broker_state.hpp"

namespace fairlead::broker {
namespace {

constexpr std::uint64_t kNoteEvery = 250'000'000;

}  // namespace

Guest* BrokerState::find_by_token(const ResumeToken& token) noexcept {
  if (token == ResumeToken{}) return nullptr;
  for (const auto& [id, guest] : guests) {
    if (guest->token == token) return guest.get();
  }
  return nullptr;
}

// The entry names the interim segment until the new one is whole, and the guest does not begin
// before the entry names that: killed in between, what waits is found in one of them, and taken
// from one of them.
bool BrokerState::claim_route(OfferedRoute& offered, Remains& remains) {
  Route* old = delivery.find(offered.id);
  const auto found = routes.find(offered.id);
  if (old == nullptr || found == routes.end() || !found->second.interim ||
      old->identity().subscription != offered.subscription)
    return false;
  OwnedRoute& owned = found->second;
  const Guest& guest = *find_guest(owned.guest);
  auto route = make_route(offered.made, old->gate());
  route->limit_holds(offered.hold_slots);
  const auto& segment = owned.memory->segment().segment();
  const shm::RouteRemains waiting(segment.bytes().first(segment.file_bytes()),
                                  old->identity().lane_capacity);
  const CopiedForward copied = copy_forward(waiting, owned.reported, *route);
  route->known() = old->known();
  std::vector<shm::PushMark> pushes;
  waiting.add_pushes(pushes);
  for (const shm::PushMark& push : pushes) route->known().add(push);
  if (!route->carry_known())
    log.add(LogLevel::warning, "no memory to note what was pushed to subscription " +
                                   std::to_string(offered.subscription) +
                                   ": if this broker dies, too, a message may come twice");
  remains.routes.reserve(remains.routes.size() + 1);  // nothing fails from the new line on
  const bool named = !offered.sealed;
  const auto slot =
      table.add({.kind = shm::SegmentKind::route,
                 .guest = owned.guest,
                 .claimed_epoch = table.epoch(),
                 .sealed = offered.sealed,
                 .gate = route->gate()->admits_from(),
                 .identity = offered.identity,
                 .segment = named ? offered.made.memory->segment().segment().name() : "",
                 .payer = guest.payer,
                 .resume_token = guest.token});
  if (!slot) return false;
  table.erase(owned.slot);
  Route& opened = *route;
  delivery.replace(offered.id, std::move(route));
  remains.routes.push_back(std::exchange(owned.memory, std::move(offered.made.memory)));
  remains.routes.back()->retire(true);
  owned.slot = *slot;
  owned.sealed = offered.sealed;
  owned.interim = false;
  owned.claimed_epoch = table.epoch();
  owned.reported = {};
  owned.charge = std::move(offered.charge);
  opened.open();
  if (copied.lost > 0)
    log.add(LogLevel::warning, std::to_string(copied.lost) +
                                   " messages that waited for subscription " +
                                   std::to_string(offered.subscription) + " found no room");
  touched();
  return true;
}

// Its route goes on waiting, and costs what it did.
void BrokerState::take_back(OfferedRoute& offered) noexcept {
  offered.charge.release();
  const auto found = routes.find(offered.id);
  if (found == routes.end() || !found->second.interim) return;
  OwnedRoute& owned = found->second;
  try {
    owned.charge.release();
    const Guest& guest = *find_guest(owned.guest);
    auto charged = quotas.account_of(guest.payer, quota_of(*guest.rule))
                       ->charge({.routes = 1,
                                 .budget_bytes = delivery.find(offered.id)->identity().budget_bytes,
                                 .descriptors = 2});
    if (auto* charge = std::get_if<QuotaCharge>(&charged)) owned.charge = std::move(*charge);
  } catch (const std::bad_alloc&) {
    // It waits for free.
  }
}

std::optional<std::uint64_t> BrokerState::expire_away(std::uint64_t now,
                                                      std::vector<Remains>& remains) {
  std::optional<std::uint64_t> next;
  std::vector<GuestId> over;
  bool noted = false;
  for (const auto& [id, guest] : guests) {
    const std::uint64_t until = guest->grace_until_nanoseconds;
    if (until == 0) continue;
    if (guest->away && !noted) {
      // The next broker gives them what is left of their time.
      noted = true;
      table.set_waited(now - adopted_at_nanoseconds);
      next = std::min(next.value_or(UINT64_MAX), now + kNoteEvery);
    }
    if (until <= now) {
      over.push_back(id);
    } else {
      next = std::min(next.value_or(until), until);
    }
  }
  for (const GuestId id : over) {
    Guest& guest = *find_guest(id);
    if (!guest.away) {
      end_grace(guest);
      continue;
    }
    LogLine line;
    line.level = LogLevel::warning;
    line.guest = id;
    line.principal = guest.principal;
    line.has_principal = true;
    line.message = "guest " + std::to_string(id) + " of " +
                   std::string(shm::displayed_principal(guest.principal)) +
                   " did not come back in time: its " + std::to_string(guest.routes.size()) +
                   " routes and what waits in them end";
    log.add(std::move(line));
    remains.push_back(remove_guest(id, false));
  }
  return next;
}

// It is back, and has not asked for some of what it had: it does not know of that.
void BrokerState::end_grace(Guest& guest) {
  guest.grace_until_nanoseconds = 0;
  for (const RouteId id : guest.routes) {
    if (!routes.at(id).interim) continue;
    orders.push_back({.guest = guest.id,
                      .subscription = delivery.find(id)->identity().subscription,
                      .sentence = "its guest came back and did not ask for it"});
  }
  if (!guest.outbox_settled && outboxes.find(guest.id) == nullptr) forget_outbox(guest);
}

void BrokerState::forget_outbox(Guest& guest) noexcept {
  if (guest.outbox_slot) table.erase(*std::exchange(guest.outbox_slot, std::nullopt));
  resumable_outboxes.erase(std::exchange(guest.outbox_id, 0));
  guest.outbox_settled = true;
}

void BrokerState::end_of_absent(const EndOrder& order, std::vector<Remains>& remains) {
  const Guest* guest = find_guest(order.guest);
  if (guest == nullptr || !guest->away) return;
  log.add(LogLevel::warning,
          "guest " + std::to_string(guest->id) + ", which is away: " + order.sentence);
  if (!order.subscription) {
    remains.push_back(remove_guest(order.guest, false));
  } else if (const auto id = find_route(*guest, *order.subscription)) {
    remains.push_back(end_route(*id, order.state, false));
  }
}

bool BrokerState::send_away(Guest& guest, std::vector<Remains>& remains) {
  const auto waits = [&](RouteId id) { return routes.at(id).interim; };
  const bool has_something = std::any_of(guest.routes.begin(), guest.routes.end(), waits) ||
                             (guest.outbox_slot && !guest.outbox_settled);
  if (guest.grace_until_nanoseconds == 0 || !has_something) return false;
  const std::vector<RouteId> all = guest.routes;
  for (const RouteId id : all) {
    if (!waits(id)) remains.push_back(end_route(id, shm::RouteState::closed, false));
  }
  remains.emplace_back();
  remains.back().outbox = outboxes.remove(guest.id);
  // Its process may map them as long as it lives, which whoever ends the connection knows.
  for (EndedRoute& ended : std::exchange(guest.ended, {}))
    leave_ended(std::move(ended), false, remains.back());
  guest.outbox_charge.release();
  guest.away = true;
  guest.connection = 0;
  return true;
}

}  // namespace fairlead::broker
