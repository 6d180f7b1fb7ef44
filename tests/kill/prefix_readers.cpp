#include "prefix_readers.hpp"

#include <linux/futex.h>

#include <cstring>
#include <vector>

#include <fairlead/shm/route_reader.hpp>
#include <fairlead/shm/route_remains.hpp>

#include "dump_checks.hpp"
#include "ledger.hpp"

namespace fairlead::killing {
namespace {

constexpr std::uint32_t kLanes = 64;

// The one route of the scenario's guest, if it has both segments by then.
struct RouteImages {
  std::span<std::byte> route;
  std::span<std::byte> cursors;
};

std::optional<RouteImages> newest_route(const PrefixImages& images) {
  for (std::size_t each = images.files().size(); each-- > 0;) {
    const FileImage& route = *images.files()[each];
    if (!route.name() || route.name()->kind != shm::SegmentKind::route || !route.ready()) continue;
    const FileImage* cursors = images.find(shm::SegmentKind::cursor, route.name()->id);
    if (cursors == nullptr || !cursors->ready()) return std::nullopt;
    return RouteImages{route.bytes(), cursors->bytes()};
  }
  return std::nullopt;
}

// What the route may hold after so many events.
Ledger expected_after(std::size_t events, const Rehearsal& rehearsal, bool with_taken) {
  Ledger ledger;
  bool admits = false;
  for (const Act& act : rehearsal.acts) {
    const bool done = act.end <= events;
    if (act.begin >= events && !done) break;
    switch (act.step.verb) {
      case Verb::subscribe:
        admits = !act.step.shape.staged;
        break;
      case Verb::open_gate:
        admits = true;
        break;
      case Verb::publish:
      case Verb::send: {
        if (!admits || act.reply.taken == 0) break;
        const bool all = act.reply.taken == act.reply.matched && act.step.count == 1;
        for (std::uint32_t each = 0; each < act.step.count; ++each)
          ledger.published(principal_name(act.step), act.step.number + each, act.step.bytes,
                           done && (all || act.reply.taken == act.step.count) ? Certainty::certain
                                                                              : Certainty::maybe);
        break;
      }
      case Verb::drain:
        if (!with_taken) break;
        if (done) ledger.taken(act.reply);
        if (!done) ledger.worker_died();  // killed in the middle of it
        break;
      case Verb::unsubscribe:
      case Verb::leave:
        ledger.worker_died();  // what was queued goes with the route
        admits = false;
        break;
      case Verb::stop:
        admits = false;
        break;
      default:
        break;
    }
  }
  return ledger;
}

// What the kernel does to a mutex whose owner dies.
void let_owner_die(std::span<std::byte> cursors) {
  auto& mutex = reinterpret_cast<shm::CursorHeader*>(cursors.data())->mutex;
  std::uint32_t word = 0;
  std::memcpy(&word, &mutex, sizeof word);
  if ((word & FUTEX_TID_MASK) == 0) return;
  word = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
  std::memcpy(static_cast<void*>(&mutex), &word, sizeof word);
}

void drain_all(shm::RouteReader& reader, Reply& all) {
  for (;;) {
    std::vector<shm::MessageView> views;
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    const auto outcome = reader.drain(1 << 20, 4'096, views, ticket, ended);
    all.ended_loss += ended.messages;
    if (outcome == shm::RouteReader::Outcome::corrupt) all.error = "the guest finds it corrupt; ";
    if (outcome != shm::RouteReader::Outcome::ok) return;
    for (const shm::MessageView& view : views) {
      all.messages.push_back({std::string(view.principal()), std::string(view.topic()),
                              std::string(view.text()), view.sequence(), view.lost_messages()});
    }
    reader.release(ticket, views.size());
  }
}

bool anything_was_drained(const Rehearsal& rehearsal) {
  for (const Act& act : rehearsal.acts) {
    if (act.step.verb == Verb::drain) return true;
  }
  return false;
}

}  // namespace

std::string read_as_guest(const PrefixImages& images, const Rehearsal& rehearsal) {
  const auto found = newest_route(images);
  if (!found) return "";
  std::vector<std::max_align_t> memory(found->cursors.size() / sizeof(std::max_align_t) + 8);
  void* begin = memory.data();
  std::size_t space = memory.size() * sizeof(std::max_align_t);
  begin = std::align(64, found->cursors.size(), begin, space);
  const std::span<std::byte> cursors(static_cast<std::byte*>(begin), found->cursors.size());
  std::memcpy(cursors.data(), found->cursors.data(), cursors.size());
  let_owner_die(cursors);
  shm::RouteReader reader(found->route, cursors, kLanes);
  Reply all;
  drain_all(reader, all);
  reader.join_all();
  drain_all(reader, all);
  all.ended_loss += reader.final_loss().messages;
  Ledger ledger = expected_after(images.applied(), rehearsal, true);
  ledger.taken(all);
  const std::string complaints = all.error + ledger.settle();
  return complaints.empty() ? "" : "as guest: " + complaints;
}

std::string read_as_adopter(const PrefixImages& images, const Rehearsal& rehearsal) {
  const auto found = newest_route(images);
  if (!found) return "";
  const shm::RouteRemains remains(found->route, kLanes);
  std::vector<shm::PushMark> pushes;
  remains.add_pushes(pushes);
  Reply all;
  for (const shm::RemainingMessage& message : remains.messages()) {
    all.messages.push_back(
        {std::string(message.principal),
         std::string(message.topic),
         {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()},
         message.record.sequence,
         message.lost_messages});
  }
  all.ended_loss = remains.ended_loss().messages;
  if (anything_was_drained(rehearsal)) return "";  // then it is not asked
  Ledger ledger = expected_after(images.applied(), rehearsal, false);
  ledger.taken(all);
  const std::string complaints = ledger.settle();
  return complaints.empty() ? "" : "as adopter: " + complaints;
}

std::string read_as_dump(const std::string& directory, const std::string& broker) {
  std::string complaints;
  check_dump({.directory = directory, .broker = broker, .lives = false},
             [&](const std::string& sentence) { complaints += sentence + "; "; });
  return complaints;
}

}  // namespace fairlead::killing
