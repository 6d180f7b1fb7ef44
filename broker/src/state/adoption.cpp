#include "state/adoption.hpp"

#include <unistd.h>

#include <algorithm>
#include <climits>

#include <fairlead/shm/futex.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/route_remains.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "delivery/copy_forward.hpp"
#include "policy/limits_of.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {
namespace {

LogLine line_about(const TableRecord& record, LogLevel level, std::string_view message) {
  LogLine line;
  line.level = level;
  line.principal = record.identity.owner.view();
  line.has_principal = true;
  line.source = "principal " + line.principal;
  if (record.kind == shm::SegmentKind::route) {
    line.pattern = record.identity.pattern.view();
    line.subscription = record.identity.subscription;
  }
  const std::string what = line.subscription != 0 ? "route " + std::to_string(line.subscription) +
                                                        " on " + line.pattern + " of "
                                                  : std::string("the outbox of ");
  line.message =
      what + std::string(shm::displayed_principal(line.principal)) + ": " + std::string(message);
  return line;
}

}  // namespace

shm::Segment open_earlier(const std::string& name, shm::SegmentKind kind) {
  if (name.empty()) return {};
  shm::OpenOptions options;
  options.owner = ::geteuid();
  options.kind = kind;
  options.minimum_file_bytes =
      kind == shm::SegmentKind::route ? shm::kRouteArenaOffset : sizeof(shm::ReceiptHeader);
  shm::OpenResult opened = shm::Segment::open_named_read_only(name, options);
  return opened.ok() ? std::move(opened.segment) : shm::Segment();
}

// Time without a broker does not count, and a life that was too short to note any counts a little:
// who is dead goes in the end, however often brokers come and go.
constexpr std::uint64_t kLeastWaited = 100'000'000;

Adoption::Adoption(BrokerState& state)
    : state_(state),
      now_nanoseconds_(state.clock()),
      grace_nanoseconds_(grace_nanoseconds_of(*state.policy)) {}

void Adoption::run() {
  state_.adopted_at_nanoseconds = now_nanoseconds_;
  state_.table.set_grace(grace_nanoseconds_);
  std::vector<AdoptedLine> lines = state_.table.take_adopted();
  if (lines.empty()) return;
  std::stable_sort(lines.begin(), lines.end(),
                   [](const AdoptedLine& one, const AdoptedLine& other) {
                     return one.record.resume_token < other.record.resume_token;
                   });
  // All ids first: what was pushed of other outboxes nobody will send again.
  for (const AdoptedLine& line : lines) {
    if (line.record.kind == shm::SegmentKind::outbox)
      state_.resumable_outboxes.insert(line.record.identity.route_id);
  }
  for (auto begin = lines.cbegin(); begin != lines.cend();) {
    const auto end = std::find_if(begin, lines.cend(), [&](const AdoptedLine& line) {
      return line.record.resume_token != begin->record.resume_token;
    });
    adopt_guest({begin, end});
    begin = end;
  }
  state_.table.finish_adoption();
  const auto seconds = std::to_string(state_.policy->broker().resume_grace_seconds);
  state_.log.add(LogLevel::info, "took over " + std::to_string(routes_) + " routes and " +
                                     std::to_string(outboxes_) + " outboxes of " +
                                     std::to_string(guests_) + " guests, which have up to " +
                                     seconds + " s to come back");
}

void Adoption::adopt_guest(Lines lines) {
  const std::uint64_t missed = missed_by(lines);
  Guest* guest = make_guest(lines, missed);
  if (guest == nullptr) {
    for (const AdoptedLine& line : lines) forget(line);
    return;
  }
  for (const AdoptedLine& line : lines) {
    try {
      if (line.record.kind == shm::SegmentKind::outbox) {
        adopt_outbox(*guest, line, missed);
      } else {
        adopt_route(*guest, line, missed);
      }
    } catch (const std::exception& error) {
      drop(line, error.what());
    }
  }
  if (guest->routes.empty() && !guest->outbox_slot) {
    (void)state_.remove_guest(guest->id, false);
    return;
  }
  ++guests_;
}

// Never 0: that is a guest that was there.
std::uint64_t Adoption::missed_by(Lines lines) const noexcept {
  std::uint64_t before = 0;
  for (const AdoptedLine& line : lines) {
    if (line.record.missed_nanoseconds == 0) return 1;
    before = std::max(before, line.record.missed_nanoseconds);
  }
  return before + std::max(state_.table.legacy().waited_nanoseconds, kLeastWaited);
}

// Nothing, with a line in the log, when it has no place here any more.
Guest* Adoption::make_guest(Lines lines, std::uint64_t missed) {
  const AdoptedLine& line = lines.front();
  const TableRecord& record = line.record;
  auto guest = std::make_unique<Guest>();
  guest->principal = record.identity.owner.view();
  guest->payer = record.payer;
  guest->token = record.resume_token;
  guest->user = record.identity.guest_user;
  guest->capsule = record.identity.capsule;
  guest->rule = state_.policy->rule_of(guest->principal);
  guest->grace_until_nanoseconds = now_nanoseconds_ + grace_nanoseconds_ - missed;
  guest->away = true;
  if (!guest->rule) {
    tell_end(line, refusals::unknown_principal(guest->principal));
    return nullptr;
  }
  if (grace_nanoseconds_ == 0) return nullptr;
  if (missed >= grace_nanoseconds_) {
    tell_end(line, "its guest did not come back in time");
    return nullptr;
  }
  auto account = state_.quotas.account_of(guest->payer, quota_of(*guest->rule));
  auto charged = account->charge({.guests = 1, .descriptors = 1});
  if (const auto* refusal = std::get_if<QuotaRefusal>(&charged)) {
    tell_end(line, refusals::quota(*refusal));
    return nullptr;
  }
  guest->charge = std::move(std::get<QuotaCharge>(charged));
  return state_.find_guest(state_.add_guest(std::move(guest)));
}

void Adoption::adopt_route(Guest& guest, const AdoptedLine& line, std::uint64_t missed) {
  auto account = state_.quotas.account_of(guest.payer, quota_of(*guest.rule));
  auto charged = account->charge(
      {.routes = 1, .budget_bytes = line.record.identity.budget_bytes, .descriptors = 2});
  if (const auto* refusal = std::get_if<QuotaRefusal>(&charged))
    return drop(line, refusals::quota(*refusal));
  shm::RouteIdentity identity = line.record.identity;
  identity.route_id = state_.table.take_subscription();
  identity.guest_process = 0;
  identity.arena_offset = shm::kRouteArenaOffset;
  const NewRoute made = create_route(state_.table.stamp(), identity, shm::Backing::named, false);
  auto route = state_.make_route(made, guest.gates.adopt(line.record.gate));
  std::uint64_t messages = 0;
  fill(*route, line, messages);
  state_.add_route(guest, made, std::move(route),
                   {.identity = identity,
                    .sealed = line.record.sealed,
                    .interim = true,
                    .claimed_epoch = line.record.claimed_epoch,
                    .missed_nanoseconds = missed,
                    .charge = std::move(std::get<QuotaCharge>(charged))});
  forget(line);
  ++routes_;
  if (messages > 0)
    state_.log.add(line_about(line.record, LogLevel::info,
                              std::to_string(messages) + " messages that wait for its guest"));
}

// What was pushed before, and what no guest has seen.
void Adoption::fill(Route& route, const AdoptedLine& line, std::uint64_t& messages) {
  const shm::Segment earlier = open_earlier(line.record.segment);
  if (!earlier.valid()) {
    if (!line.record.segment.empty())
      state_.log.add(line_about(line.record, LogLevel::warning,
                                "its segment of the last epoch cannot be read any more"));
    return;
  }
  const shm::RouteRemains remains(earlier.bytes().first(earlier.file_bytes()),
                                  line.record.identity.lane_capacity);
  if (line.record.interim) messages = copy_forward(remains, {}, route).messages;
  std::vector<shm::PushMark> pushes;
  remains.add_pushes(pushes);
  for (const shm::PushMark& push : pushes) {
    if (state_.resumable_outboxes.contains(push.outbox)) route.known().add(push);
  }
  if (!route.carry_known())
    state_.log.add(line_about(line.record, LogLevel::warning,
                              "no memory to note what was pushed: if this broker dies, too, a "
                              "message may come twice"));
}

void Adoption::adopt_outbox(Guest& guest, const AdoptedLine& line, std::uint64_t missed) {
  if (guest.outbox_slot) return drop(line, "a guest has one outbox");
  TableRecord record = line.record;
  record.guest = guest.id;
  record.segment.clear();
  record.missed_nanoseconds = missed;
  record.sealed = true;  // there is none, until its guest is back
  const auto slot = state_.table.add(record);
  if (!slot) return drop(line, "no room in the broker's table");
  guest.outbox_slot = *slot;
  guest.outbox_id = record.identity.route_id;
  guest.outbox_settled = false;
  // Its guest maps the receipts that it has; nobody opens them by name again.
  forget(line);
  ++outboxes_;
}

void Adoption::tell_end(const AdoptedLine& line, std::string_view why) {
  state_.log.add(line_about(line.record, LogLevel::warning,
                            "ended with the broker that died: " + std::string(why)));
}

void Adoption::drop(const AdoptedLine& line, std::string_view why) {
  tell_end(line, why);
  forget(line);
}

// Who sleeps on a dead broker's doorbell notices at once, without a ring of it: that word was
// another's. Of a sealed segment there is nothing that we could map.
void Adoption::rouse_waiters(const TableRecord& record) {
  const bool route = record.kind == shm::SegmentKind::route;
  const shm::Segment earlier =
      open_earlier(record.segment, route ? record.kind : shm::SegmentKind::receipt);
  if (!earlier.valid()) return;
  const auto& bell = route ? reinterpret_cast<const shm::RouteHeader*>(earlier.data())->doorbell
                           : reinterpret_cast<const shm::ReceiptHeader*>(earlier.data())->doorbell;
  (void)shm::futex_wake(bell, INT_MAX);
}

void Adoption::forget(const AdoptedLine& line) {
  if (!line.record.interim) rouse_waiters(line.record);
  state_.table.erase(line.slot);
  if (!line.record.segment.empty()) ::unlink(shm::segment_path(line.record.segment).c_str());
}

}  // namespace fairlead::broker
