// The state of a broker as plain values.
#include "state/broker_state.hpp"

namespace fairlead::broker {
namespace {

std::uint64_t read(const std::atomic<std::uint64_t>& word) noexcept {
  return word.load(std::memory_order_relaxed);
}

}  // namespace

RouteStatistics BrokerState::statistics_of(RouteId id, Route& route) {
  route.maintain();  // what the guest has taken by now counts as delivered
  const shm::RouteIdentity& identity = route.identity();
  const shm::RouteCounters& counts = route.header().counters;
  const OwnedRoute& owned = routes[id];
  RouteStatistics shown;
  shown.subscription = identity.subscription;
  shown.guest = owned.guest;
  shown.capsule = identity.capsule;
  shown.pattern = identity.pattern.view();
  shown.owner = identity.owner.view();
  if (!owned.sealed) shown.segment = owned.memory->segment().segment().name();
  shown.eviction = identity.eviction;
  shown.admission = identity.admission;
  shown.admitted_principal = identity.admitted_principal.view();
  shown.boundary = identity.boundary;
  shown.sealed = owned.sealed;
  shown.open = route.admits(identity.admitted_principal.view(), delivery.next_sequence());
  shown.budget_bytes = identity.budget_bytes;
  shown.published = read(counts.published);
  shown.delivered = read(counts.delivered);
  shown.queued = read(counts.queued);
  shown.evicted = read(counts.evicted);
  shown.refused = read(counts.refused);
  shown.queued_bytes = read(counts.queued_bytes);
  shown.evicted_bytes = read(counts.evicted_bytes);
  shown.lanes = route.writer().open_lanes();
  return shown;
}

BrokerStatistics BrokerState::statistics() {
  BrokerStatistics shown;
  shown.name = options.name;
  shown.epoch = table.epoch();
  shown.next_sequence = delivery.next_sequence();
  shown.published = counters.published;
  shown.connections = counters.connections;
  shown.attach_refusals = counters.attach_refusals;
  shown.request_refusals = counters.request_refusals;
  shown.protocol_violations = counters.protocol_violations;
  shown.unread_disconnects = counters.unread_disconnects;
  shown.expired_deadlines = counters.expired_deadlines;
  shown.poisoned_routes = counters.poisoned_routes;
  shown.descriptors_in_flight = descriptors_in_flight;
  delivery.for_each(
      [&](RouteId id, Route& route) { shown.routes.push_back(statistics_of(id, route)); });
  for (const auto& [id, guest] : guests) {
    GuestStatistics entry;
    entry.guest = id;
    entry.principal = guest->principal;
    entry.capsule = guest->capsule;
    entry.program = guest->program;
    entry.process = guest->process;
    entry.user = guest->user;
    entry.boundary = guest->boundary.boundary;
    entry.outbox = guest->outbox_id;
    for (const RouteId route : guest->routes)
      entry.subscriptions.push_back(delivery.find(route)->identity().subscription);
    shown.guests.push_back(std::move(entry));
  }
  return shown;
}

}  // namespace fairlead::broker
