#include "state/broker_state.hpp"

#include <sys/resource.h>

#include <algorithm>

#include <fairlead/broker/permissions.hpp>
#include <fairlead/shm/clock.hpp>

#include "policy/limits_of.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {
namespace {

std::uint64_t descriptor_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1'024;
}

std::uint64_t nanoseconds(std::chrono::nanoseconds duration) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

std::uint64_t spin_of(const BrokerOptions& options, const Policy& policy) noexcept {
  return options.outbox_spin ? nanoseconds(*options.outbox_spin) : policy.broker().spin_us * 1'000;
}

BrokerOptions with_clock(BrokerOptions options) {
  if (!options.clock) options.clock = [] { return shm::monotonic_ns(); };
  return options;
}

}  // namespace

BrokerState::BrokerState(BrokerOptions wished, Policy loaded)
    : options(with_clock(std::move(wished))),
      clock(options.clock),
      log(options.logger, options.log_level, clock),
      policy(std::make_shared<const Policy>(std::move(loaded))),
      table(options.name, options.socket_path),
      delivery(table.first_sequence()),
      quotas(quota_of(policy->broker(), descriptor_limit()), kQuotaFloor),
      outboxes(delivery, *this,
               OutboxTiming{.spin_nanoseconds = spin_of(options, *policy),
                            .first_pause_nanoseconds = nanoseconds(options.first_pause),
                            .longest_pause_nanoseconds = nanoseconds(options.longest_pause),
                            .longest_block_nanoseconds = nanoseconds(options.longest_block)},
               clock) {}

BrokerState::~BrokerState() = default;

// ---- guests ------------------------------------------------------------------------------------

Guest* BrokerState::find_guest(GuestId id) noexcept {
  const auto found = guests.find(id);
  return found == guests.end() ? nullptr : found->second.get();
}

GuestId BrokerState::add_guest(std::unique_ptr<Guest> guest) {
  const GuestId id = next_guest_++;
  guest->id = id;
  guests.emplace(id, std::move(guest));
  return id;
}

Remains BrokerState::remove_guest(GuestId id, bool thrown_out) {
  Remains remains;
  const auto found = guests.find(id);
  if (found == guests.end()) return remains;
  Guest& guest = *found->second;
  remains.outbox = outboxes.remove(id);
  if (guest.outbox_slot) table.erase(*guest.outbox_slot);
  resumable_outboxes.erase(guest.outbox_id);
  while (!guest.routes.empty()) {
    take_route_out(guest.routes.back(), shm::RouteState::closed, thrown_out, remains);
  }
  for (EndedRoute& ended : guest.ended) leave_ended(std::move(ended), thrown_out, remains);
  guests.erase(found);
  return remains;
}

// ---- routes ------------------------------------------------------------------------------------

std::unique_ptr<Route> BrokerState::make_route(const NewRoute& made,
                                               std::shared_ptr<const Gate> gate) {
  return std::make_unique<Route>(made.memory->segment(), made.memory->cursors().data(),
                                 std::move(gate), made.memory->wake_descriptor());
}

RouteId BrokerState::add_route(Guest& guest, const NewRoute& made, std::unique_ptr<Route> route,
                               RouteSetup setup) {
  guest.routes.reserve(guest.routes.size() + 1);
  const std::uint64_t gate = route->gate()->admits_from();
  const RouteId id = delivery.add(std::move(route));
  try {
    OwnedRoute& owned = routes[id];
    const bool named = !setup.sealed || setup.interim;
    const auto slot = table.add({.kind = shm::SegmentKind::route,
                                 .interim = setup.interim,
                                 .guest = guest.id,
                                 .claimed_epoch = setup.claimed_epoch,
                                 .sealed = setup.sealed,
                                 .gate = gate,
                                 .identity = setup.identity,
                                 .segment = named ? made.memory->segment().segment().name() : "",
                                 .payer = guest.payer,
                                 .resume_token = guest.token,
                                 .missed_nanoseconds = setup.missed_nanoseconds});
    if (!slot) {
      throw Error(ErrorCode::out_of_memory,
                  "no room for one more route in the broker's table; `df /dev/shm` may show why");
    }
    owned.memory = made.memory;
    owned.slot = *slot;
    owned.guest = guest.id;
    owned.sealed = setup.sealed;
    owned.interim = setup.interim;
    owned.claimed_epoch = setup.claimed_epoch;
    owned.charge = std::move(setup.charge);
  } catch (...) {  // its memory is about to go
    routes.erase(id);
    delivery.remove(id);
    throw;
  }
  guest.routes.push_back(id);
  routes_end = std::max(routes_end, id + 1);
  return id;
}

std::optional<RouteId> BrokerState::find_route(const Guest& guest,
                                               std::uint64_t subscription) noexcept {
  for (const RouteId id : guest.routes) {
    if (delivery.find(id)->identity().subscription == subscription) return id;
  }
  return std::nullopt;
}

Remains BrokerState::end_route(RouteId id, shm::RouteState state, bool truncate) {
  Remains remains;
  take_route_out(id, state, truncate, remains);
  return remains;
}

// What the guest may still map of an ended route stays charged to its principal until it says that
// it does not, or its process is dead: else it could pin any amount of memory by subscribing again
// and again. A named segment's word for it can be enforced, a sealed one's cannot.
void BrokerState::take_route_out(RouteId id, shm::RouteState state, bool truncate,
                                 Remains& remains) {
  const auto found = routes.find(id);
  if (found == routes.end()) return;
  OwnedRoute& owned = found->second;
  Route& route = *delivery.find(id);
  const std::uint64_t subscription = route.identity().subscription;
  route.maintain();  // gives back what the guest has drained
  route.close(state);
  delivery.remove(id);
  table.erase(owned.slot);
  owned.memory->retire(truncate);
  const bool kept = !owned.sealed && !owned.interim && !truncate;
  QuotaAmounts released = owned.charge.amounts();
  if (owned.interim) {
    // Nobody but us maps it.
  } else if (owned.sealed) {
    released.budget_bytes = 0;
  } else if (kept) {
    const std::uint64_t mapped = owned.memory->segment().segment().file_bytes();
    const std::uint64_t budget = released.budget_bytes;
    released = {.budget_bytes = budget - std::min<std::uint64_t>(budget, mapped)};
  }
  owned.charge.reduce(released);
  if (Guest* guest = find_guest(owned.guest)) {
    std::erase(guest->routes, id);
    if (owned.charge.amounts() != QuotaAmounts{})
      guest->ended.push_back(
          {subscription, kept ? owned.memory : nullptr, std::move(owned.charge)});
  }
  remains.routes.push_back(std::move(owned.memory));
  routes.erase(found);
}

bool BrokerState::take_back_ended(Guest& guest, std::uint64_t subscription, Remains& remains) {
  const auto found =
      std::find_if(guest.ended.begin(), guest.ended.end(),
                   [&](const EndedRoute& ended) { return ended.subscription == subscription; });
  if (found == guest.ended.end()) return false;
  if (!found->memory) return true;
  found->memory->retire(true);
  remains.routes.push_back(std::move(found->memory));
  guest.ended.erase(found);
  return true;
}

// Of a guest that leaves: we keep nothing of it but the charge for what it may still map.
void BrokerState::leave_ended(EndedRoute ended, bool thrown_out, Remains& remains) {
  QuotaAmounts released = ended.charge.amounts();
  if (ended.memory) {
    ended.memory->retire(thrown_out);
    remains.routes.push_back(std::move(ended.memory));
    if (thrown_out) return;
  }
  released.budget_bytes = 0;
  ended.charge.reduce(released);
  remains.charges.push_back(std::move(ended.charge));
}

void BrokerState::set_gate(Guest& guest, bool open) {
  const std::uint64_t next = delivery.next_sequence();
  table.begin_gate_change(guest.token, open ? next : Gate::kNever);
  if (open) {
    guest.gates.open(next);
  } else {
    guest.gates.retire(next);
  }
  for (const RouteId id : guest.routes)
    table.set_gate(routes[id].slot, delivery.find(id)->gate()->admits_from());
  table.end_gate_change();
}

void BrokerState::maintain_slice() {
  const std::uint64_t now = clock();
  std::uint32_t first = 0;
  std::uint32_t end = 0;
  if (!maintenance.begin_slice(now, routes_end, first, end)) return;
  table.reserve_sequences(delivery.next_sequence());
  bool busy = false;
  for (RouteId id = first; id < end; ++id) {
    Route* route = delivery.find(id);
    if (route == nullptr) continue;
    route->maintain();
    const shm::RouteWriter& writer = route->writer();
    const std::uint64_t pinned =
        route->header().counters.arena_retired_bytes.load(std::memory_order_relaxed);
    busy = busy || writer.open_lanes() > 0 || pinned > 0;
    if (!route->poisoned()) continue;
    orders.push_back({.guest = routes[id].guest,
                      .subscription = route->identity().subscription,
                      .state = shm::RouteState::poisoned,
                      .sentence = "the guest's cursors of this route make no sense, so it was "
                                  "closed; subscribe again to go on"});
  }
  maintenance.end_slice(now, routes_end, end, busy);
}

// ---- publishing --------------------------------------------------------------------------------

void BrokerState::touched() {
  if (maintenance.touched()) return;
  if (maintenance.touch(clock()) && wake_service) wake_service();
}

void BrokerState::count(std::string_view principal, const PublishReport& report,
                        std::uint64_t bytes) noexcept {
  PublishCounts& counts = counters.published[static_cast<std::size_t>(shm::class_of(principal))];
  ++counts.publishes;
  counts.bytes += bytes;
  counts.matched += report.matched;
  counts.taken += report.taken;
  counts.evicted += report.evicted;
  counts.refused += report.refused;
  const auto reason = static_cast<std::size_t>(report.reason);
  if (reason != 0 && reason < counts.refused_by_reason.size()) ++counts.refused_by_reason[reason];
  if (report.matched > 0) touched();
}

void BrokerState::published(const OutboxOwner& owner, const PublishReport& report,
                            std::uint64_t bytes) noexcept {
  count(owner.principal, report, bytes);
}

// ---- policy ------------------------------------------------------------------------------------

void BrokerState::replace_policy(Policy replacement) {
  policy = std::make_shared<const Policy>(std::move(replacement));
  quotas.total().set_limits(quota_of(policy->broker(), descriptor_limit()));
  outboxes.set_spin(spin_of(options, *policy));
  table.set_grace(grace_nanoseconds_of(*policy));
  for (const auto& [id, guest] : guests) order_ends_of(*guest);
  if (!orders.empty() && wake_service) wake_service();
}

// What the new policy takes from a guest ends; the rest of it goes on under the new rule.
void BrokerState::order_ends_of(Guest& guest) {
  std::shared_ptr<const PrincipalRule> rule;
  std::string sentence;
  if (guest.by_host || guest.away) {  // or asked again when it is back
    rule = policy->rule_of(guest.principal);
    sentence = refusals::unknown_principal(guest.principal);
  } else {
    std::optional<std::string_view> pinned;
    if (guest.pinned) pinned = *guest.pinned;
    const AttachDecision decision = policy->decide_again(guest.peer, guest.principal, pinned);
    if (decision.allowed) {
      rule = decision.rule;
      guest.payer = decision.payer;
    }
    sentence = decision.sentence;
  }
  if (!rule) {
    orders.push_back({.guest = guest.id, .sentence = "the policy was reloaded: " + sentence});
    return;
  }
  guest.rule = rule;
  (void)quotas.account_of(guest.payer, quota_of(*rule));
  for (const RouteId id : guest.routes) {
    const shm::RouteIdentity& route = delivery.find(id)->identity();
    const std::string_view admitted = route.admitted_principal.view();
    if (!may_subscribe(*rule, route.pattern.view())) {
      sentence = refusals::may_not_subscribe(guest.principal, route.pattern.view());
    } else if (!admission_allowed(*rule, guest.principal, route.admission, admitted)) {
      sentence =
          refusals::admission_too_wide(guest.principal, route.admission, admitted, rule->admission);
    } else {
      continue;
    }
    orders.push_back({.guest = guest.id,
                      .subscription = route.subscription,
                      .reason = shm::Refusal::not_permitted,
                      .sentence = "the policy was reloaded: " + sentence});
  }
}

// ---- the end -----------------------------------------------------------------------------------

std::vector<Remains> BrokerState::leave_everything() {
  std::vector<Remains> all;
  for (auto& [id, owned] : routes) {
    owned.memory->leave();
    delivery.remove(id);
    Remains remains;
    remains.routes.push_back(std::move(owned.memory));
    all.push_back(std::move(remains));
    owned.charge.release();
  }
  routes.clear();
  for (auto& [id, guest] : guests) {
    Remains remains;
    remains.outbox = outboxes.remove(id);
    if (remains.outbox) remains.outbox->leave();
    all.push_back(std::move(remains));
  }
  guests.clear();
  table.set_waited(clock() - adopted_at_nanoseconds);
  table.hand_over();
  return all;
}

std::vector<Remains> BrokerState::end_everything() {
  std::vector<Remains> all;
  // What a guest has not drained yet it may still drain: nothing is truncated.
  while (!guests.empty()) all.push_back(remove_guest(guests.begin()->first, false));
  table.remove();
  return all;
}

}  // namespace fairlead::broker
