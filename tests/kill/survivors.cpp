#include "survivors.hpp"

#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "dump/machine_reader.hpp"

namespace fairlead::killing {
namespace {

namespace dump = tools::dump;
using std::chrono::seconds;

constexpr seconds kDeadline{10};

bool comes_true(const std::function<bool()>& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!wanted()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::vector<std::string> files_of(const Stage& stage) {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + stage.place().broker + '.'))
      files.push_back(listed.file);
  }
  return files;
}

// ---- dump ---------------------------------------------------------------------------------------

dump::MachineDump read_dump(const Stage& stage) {
  dump::MachineOptions options;
  options.broker = stage.place().broker;
  options.monotonic_now_ns = shm::monotonic_ns();
  return dump::read_machine(options);
}

// What stands in the middle of a change is said to be so; all other numbers are right (R30).
void check_segment(Stage& stage, const dump::SegmentDump& segment, bool broker_lives) {
  using dump::Verdict;
  const bool half_made = segment.verdict == Verdict::torn || segment.verdict == Verdict::not_ready;
  const bool went = segment.verdict == Verdict::unavailable ||
                    (segment.verdict == Verdict::missing && stage.sweeps());
  const bool allowed = segment.verdict == Verdict::ok || (!broker_lives && (half_made || went));
  const std::string name = segment.file.empty() ? "a sealed segment" : segment.file;
  if (!allowed) {
    stage.complain("dump says of " + name + ": " + std::string(to_string(segment.verdict)));
    for (const std::string& problem : segment.problems) stage.complain(problem);
  }
  const dump::RouteDump* route = segment.route();
  if (route != nullptr && route->messages.known && !(route->messages.holds && route->bytes.holds))
    stage.complain("R30 does not hold in " + name);
}

void check_dump(Stage& stage, bool broker_lives) {
  const dump::MachineDump machine = read_dump(stage);
  for (const dump::BrokerDump& broker : machine.brokers) {
    if (broker.table_segment) check_segment(stage, *broker.table_segment, broker_lives);
    for (const dump::SegmentDump& segment : broker.segments)
      check_segment(stage, segment, broker_lives);
  }
  for (const dump::StrayDump& stray : machine.strays) stage.complain("stray " + stray.file);
}

void check_nothing_left(Stage& stage) {
  for (const std::string& file : files_of(stage)) {
    stage.complain("left: " + file);
    ::unlink(shm::segment_path(file).c_str());
  }
  if (::access(stage.place().socket_path.c_str(), F_OK) == 0) stage.complain("left: the socket");
}

// ---- the broker was killed ----------------------------------------------------------------------

// Everything committed comes out, then the news that nothing more will.
void drain_to_the_end(Stage& stage, Actor which) {
  GuestActor& actor = stage.actor(which);
  if (!actor.subscribed()) return;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  std::string outcome;
  while (outcome != "disconnected" && outcome != "closed") {
    stage.drain_all(which);
    outcome = to_string(actor.subscription().wait(seconds(1)));
    if (std::chrono::steady_clock::now() > deadline)
      return stage.complain("the " + std::string(to_string(which)) +
                            " does not see that the broker is gone: " + outcome);
  }
  stage.drain_all(which);
  stage.complain(stage.ledger(which).settle());
}

void serve_a_new_guest(Stage& stage, std::uint64_t newest_sequence) {
  BrokerActor next(stage.place());
  GuestActor guest(stage.place());
  Ledger ledger;
  const auto must = [&stage](const Reply& reply) {
    if (!reply.error.empty()) stage.complain("with the next broker: " + reply.error);
    return reply;
  };
  // A broker that stops in order takes its numbers with it.
  if (files_of(stage).empty()) newest_sequence = 0;
  must(next.perform({.verb = Verb::start}));
  if (!stage.complaints().empty()) return;
  must(guest.perform({.actor = Actor::guest, .verb = Verb::attach}));
  must(guest.perform({.actor = Actor::guest, .verb = Verb::subscribe}));
  for (std::uint32_t number = 1; number <= 2; ++number) {
    must(next.perform({.verb = Verb::publish, .number = number, .bytes = 40}));
    ledger.published("p0", number, 40, Certainty::certain);
  }
  const Reply drained = must(guest.perform({.actor = Actor::guest, .verb = Verb::drain}));
  ledger.taken(drained);
  stage.complain(ledger.settle());
  if (!drained.messages.empty() && drained.messages.front().sequence <= newest_sequence)
    stage.complain("the next broker gives sequence numbers again");
  check_dump(stage, true);
  guest.perform({.actor = Actor::guest, .verb = Verb::leave});
  next.perform({.verb = Verb::stop});
}

void check_after_the_broker(Stage& stage) {
  std::uint64_t newest = 0;
  for (const Actor each : {Actor::guest, Actor::bystander}) {
    drain_to_the_end(stage, each);
    newest = std::max(newest, stage.ledger(each).newest_sequence());
  }
  check_dump(stage, false);
  serve_a_new_guest(stage, newest);
  for (const Actor each : {Actor::guest, Actor::bystander})
    (void)stage.actor(each).perform({.actor = each, .verb = Verb::leave});
}

// ---- a guest or a worker was killed -------------------------------------------------------------

std::uint64_t held_bytes(const Stage& stage) {
  std::uint64_t sum = 0;
  for (const dump::BrokerDump& broker : read_dump(stage).brokers) {
    for (const dump::SegmentDump& segment : broker.segments) {
      if (const dump::RouteDump* route = segment.route()) sum += route->held_bytes;
    }
  }
  return sum;
}

// The others are served on, and see all of it.
void serve_on(Stage& stage, Actor which) {
  for (std::uint32_t principal = 0; principal < 4; ++principal)
    (void)stage.perform({.verb = Verb::publish, .principal = principal, .bytes = 40});
  stage.drain_all(which);
  stage.complain(stage.ledger(which).settle());
}

void check_after_a_guest(Stage& stage) {
  broker::Broker& broker = stage.broker().broker();
  const std::size_t guests = stage.actor(Actor::bystander).subscribed() ? 1 : 0;
  if (!comes_true([&] { return broker.statistics().guests.size() == guests; }))
    stage.complain("the broker does not see that its guest is gone");
  const auto gone = [&] {
    return broker.statistics().routes.size() == guests && files_of(stage).size() == guests + 1;
  };
  if (!comes_true(gone)) stage.complain("memory of the dead guest is still there");
  serve_on(stage, Actor::bystander);
}

void check_after_a_worker(Stage& stage) {
  stage.ledger(Actor::guest).worker_died();
  stage.drain_all(Actor::guest);
  for (int round = 0; round < 40; ++round) stage.drain_all(Actor::guest);  // looks for the dead
  serve_on(stage, Actor::guest);
  serve_on(stage, Actor::bystander);
  const auto nothing_held = [&stage] {
    (void)stage.perform({.verb = Verb::publish, .bytes = 40});
    stage.drain_all(Actor::guest);
    stage.drain_all(Actor::bystander);
    return held_bytes(stage) == 0;
  };
  if (!comes_true(nothing_held)) stage.complain("what the dead worker held is not given back");
}

}  // namespace

void check_survivors(Stage& stage) {
  if (stage.victim() == Actor::broker) {
    check_after_the_broker(stage);
  } else {
    if (stage.victim() == Actor::guest) {
      check_after_a_guest(stage);
    } else {
      check_after_a_worker(stage);
    }
    check_dump(stage, true);
    (void)stage.broker().perform({.verb = Verb::stop});
  }
  check_nothing_left(stage);
}

}  // namespace fairlead::killing
