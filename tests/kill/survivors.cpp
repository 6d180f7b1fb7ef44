#include "survivors.hpp"

#include <chrono>
#include <functional>
#include <thread>

#include "dump_checks.hpp"
#include "next_broker.hpp"

namespace fairlead::killing {
namespace {

constexpr std::chrono::seconds kDeadline{10};

bool comes_true(const std::function<bool()>& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!wanted()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// ---- the broker was killed ----------------------------------------------------------------------

bool has_ended(const std::string& outcome) {
  return outcome == "disconnected" || outcome == "closed";
}

// First what the killed one left, then what the next one brings.
void drain_to_the_end(Stage& stage, Actor which) {
  GuestActor& actor = stage.actor(which);
  if (!actor.subscribed()) return;
  Ledger& ledger = stage.ledger(which);
  std::string outcome;
  const bool came = comes_true([&] {
    outcome = stage.drain_all(which);
    if (has_ended(outcome) || (outcome == "empty" && ledger.all_came())) return true;
    (void)actor.subscription().wait(std::chrono::milliseconds(100));
    return false;
  });
  if (!came) stage.complain("the " + std::string(to_string(which)) + " finds only: " + outcome);
  stage.complain(ledger.settle());
}

void serve_a_newcomer(Stage& stage, const Complain& complain) {
  GuestActor newcomer(stage.place());
  const Actor as = Actor::guest;
  for (const Verb verb : {Verb::attach, Verb::subscribe})
    complain(newcomer.perform({.actor = as, .verb = verb}).error);
  (void)stage.perform({.verb = Verb::publish, .principal = 9, .bytes = 40});
  const Reply drained = newcomer.perform({.actor = as, .verb = Verb::drain});
  if (drained.messages.size() != 1) complain("the next broker does not serve a newcomer");
  for (const Verb verb : {Verb::unsubscribe, Verb::leave})
    complain(newcomer.perform({.actor = as, .verb = verb}).error);
}

void check_after_the_broker(Stage& stage, const Complain& complain) {
  if (!stage.complaints().empty()) return;
  for (std::uint32_t principal = 0; principal < 3; ++principal)
    (void)stage.perform({.verb = Verb::publish, .principal = principal, .bytes = 40});
  for (const Actor each : {Actor::guest, Actor::bystander}) drain_to_the_end(stage, each);
  serve_a_newcomer(stage, complain);
  for (const Actor each : {Actor::guest, Actor::bystander})
    (void)stage.actor(each).perform({.actor = each, .verb = Verb::leave});
}

// ---- a guest or a worker was killed -------------------------------------------------------------

// The others are served on, and see all of it.
void serve_on(Stage& stage, Actor which) {
  for (std::uint32_t principal = 0; principal < 4; ++principal)
    (void)stage.perform({.verb = Verb::publish, .principal = principal, .bytes = 40});
  (void)stage.drain_all(which);
  stage.complain(stage.ledger(which).settle());
}

void check_after_a_guest(Stage& stage) {
  broker::Broker& broker = stage.broker().broker();
  if (!comes_true([&] { return broker.statistics().guests.size() == 1; }))
    stage.complain("the broker does not see that its guest is gone");
  // The bystander's route, unless it is sealed, its receipts, if it publishes, and the table.
  std::size_t files = 1;
  const broker::BrokerStatistics now = broker.statistics();
  for (const broker::RouteStatistics& route : now.routes) files += route.sealed ? 0 : 1;
  for (const broker::GuestStatistics& guest : now.guests) files += guest.outbox != 0 ? 1 : 0;
  if (now.routes.size() != 1) stage.complain("a route of the dead guest is still there");
  if (!comes_true([&] { return files_of(stage.place()).size() == files; }))
    stage.complain("memory of the dead guest is still there");
  serve_on(stage, Actor::bystander);
}

void check_after_a_worker(Stage& stage) {
  stage.ledger(Actor::guest).worker_died();
  // Often enough that it looks for the dead.
  for (int round = 0; round < 40; ++round) (void)stage.drain_all(Actor::guest);
  serve_on(stage, Actor::guest);
  serve_on(stage, Actor::bystander);
  const auto nothing_held = [&stage] {
    (void)stage.perform({.verb = Verb::publish, .bytes = 40});
    (void)stage.drain_all(Actor::guest);
    (void)stage.drain_all(Actor::bystander);
    return held_bytes(stage.place().broker) == 0;
  };
  if (!comes_true(nothing_held)) stage.complain("what the dead worker held is not given back");
}

}  // namespace

void check_survivors(Stage& stage) {
  const Complain complain = [&stage](const std::string& sentence) { stage.complain(sentence); };
  switch (stage.victim()) {
    case Actor::broker:
      check_after_the_broker(stage, complain);
      break;
    case Actor::worker:
      check_after_a_worker(stage);
      break;
    default:
      check_after_a_guest(stage);
  }
  check_dump({.broker = stage.place().broker, .lives = true}, complain);
  (void)stage.broker().perform({.verb = Verb::stop});
  stage.complain(remove_what_is_left(stage.place()));
}

}  // namespace fairlead::killing
