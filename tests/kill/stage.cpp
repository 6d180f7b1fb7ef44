#include "stage.hpp"

#include <chrono>
#include <future>
#include <thread>

#include "dump_checks.hpp"
#include "support/test_broker.hpp"

namespace fairlead::killing {

Stage::Stage(const Scenario& scenario, PointKind kind, std::uint64_t kill_at)
    : scenario_(scenario),
      place_{test::unique_broker_name(), directory_.path_of("broker.sock")},
      puppet_(std::make_unique<Puppet>(place_, kind, kill_at)),
      broker_(place_),
      guest_(place_),
      bystander_(place_) {
  for (const Step& step : scenario.before) {
    if (step.verb == Verb::succeed)
      predecessor_ = std::make_unique<Puppet>(place_, PointKind::stores, 0);
  }
}

void Stage::complain(const std::string& sentence) {
  if (!sentence.empty() && complaints_.size() < 2'000) complaints_ += sentence + "; ";
}

// Its guests go as well: whoever comes next finds only what lies in /dev/shm.
void Stage::leave_a_predecessor() {
  Puppet broker(place_, PointKind::stores, 0);
  GuestActor guest(place_);
  (void)broker.perform({.actor = Actor::broker, .verb = Verb::start});
  for (const bool sealed : {false, true}) {
    (void)guest.perform({.actor = Actor::guest, .verb = Verb::attach});
    (void)guest.perform(
        {.actor = Actor::guest, .verb = Verb::subscribe, .shape = {.sealed = sealed}});
  }
  const Reply reply =
      guest.perform({.actor = Actor::guest, .verb = Verb::send, .number = 1, .bytes = 40});
  if (!reply.acknowledged) complain("the predecessor took no message: " + reply.error);
  broker.finish();
}

bool Stage::play() {
  if (scenario_.predecessor) leave_a_predecessor();
  for (const Step& step : scenario_.before) {
    if (!perform(step).alive) complain("the victim did not live to be armed");
  }
  puppet_->arm();
  bool alive = true;
  for (const Step& step : scenario_.traced) {
    alive = perform(step).alive && !taken_over_;
    if (!alive) break;
    stopping_ = step.verb == Verb::stop;
  }
  alive = !taken_over_ && puppet_->disarm() && alive;
  if (scenario_.victim == Actor::broker) {
    take_over();
  } else {
    puppet_->finish();
  }
  return !alive;
}

Reply Stage::perform_by_broker(const Step& step) {
  if (predecessor_) return predecessor_->perform(step);
  if (scenario_.victim != Actor::broker || taken_over_) return broker_.perform(step);
  stopping_ = step.verb == Verb::stop;
  return puppet_->perform(step);
}

// What a guest asks of a broker that is killed over it, the next one answers.
Reply Stage::perform_watching(const Step& step) {
  auto done = std::async(std::launch::async, [&] { return actor(step.actor).perform(step); });
  while (done.wait_for(std::chrono::microseconds(200)) != std::future_status::ready) {
    if (!predecessor_ && !taken_over_ && puppet_->died()) take_over();
  }
  return done.get();
}

// Guests live on, with what they have mapped.
void Stage::succeed() { predecessor_.reset(); }

// The next broker of that name, over what the killed one left.
void Stage::take_over() {
  if (taken_over_) return;
  puppet_->finish();
  taken_over_ = true;
  check_dump({.broker = place_.broker, .lives = false, .sweeps = scenario_.predecessor},
             [this](const std::string& sentence) { complain(sentence); });
  const Reply reply = broker_.perform({.verb = Verb::start});
  if (!reply.error.empty()) complain("the next broker: " + reply.error);
}

void Stage::join_worker() { puppet_->join(guest_.share()); }

Reply Stage::perform(Step step) {
  if (step.verb == Verb::publish || step.verb == Verb::send) {
    std::uint32_t& newest = numbers_[principal_name(step)];
    step.number = newest + 1;
    newest += step.count;
  }
  Reply reply;
  if (step.verb == Verb::join) {
    join_worker();
  } else if (step.verb == Verb::succeed) {
    succeed();
  } else if (step.actor == Actor::broker) {
    reply = perform_by_broker(step);
  } else if (step.actor == scenario_.victim) {
    reply = puppet_->perform(step);
  } else if (scenario_.victim == Actor::broker) {
    reply = perform_watching(step);
  } else {
    reply = actor(step.actor).perform(step);
  }
  note(step, reply);
  return reply;
}

void Stage::note(const Step& step, const Reply& reply) {
  if (!reply.error.empty()) {
    // Only who is not attached yet may find no broker.
    const bool excusable =
        scenario_.victim == Actor::broker && step.verb == Verb::attach &&
        (reply.error.starts_with("disconnected") || reply.error.starts_with("broker_gone"));
    // Its connection breaks a little before the kernel says that it is dead.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (excusable && !puppet_->died() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    if (!excusable || !puppet_->died())
      complain(std::string(to_string(step.actor)) + " " + to_string(step.verb) + ": " +
               reply.error);
  }
  RouteRecord& route = routes_[step.actor == Actor::worker ? Actor::guest : step.actor];
  switch (step.verb) {
    case Verb::publish:
    case Verb::send:
      return note_published(step, reply);
    case Verb::drain:
      return route.ledger.taken(reply);
    case Verb::subscribe:
      route.admits = reply.alive && reply.acknowledged && !step.shape.staged;
      break;
    case Verb::open_gate:
      route.admits = actor(step.actor).subscribed();
      break;
    case Verb::unsubscribe:
    case Verb::leave:
      route.admits = false;
      break;
    default:
      break;
  }
}

void Stage::note_published(const Step& step, const Reply& reply) {
  const bool told = reply.alive && reply.acknowledged;
  if (told && reply.taken == 0) return;
  const auto certainty =
      told && !stopping_ && reply.taken == reply.matched ? Certainty::certain : Certainty::maybe;
  for (auto& [actor, route] : routes_) {
    if (!route.admits) continue;
    for (std::uint32_t each = 0; each < step.count; ++each)
      route.ledger.published(principal_name(step), step.number + each, step.bytes, certainty);
  }
}

std::string Stage::drain_all(Actor which) {
  for (;;) {
    const Reply reply = perform({.actor = which, .verb = Verb::drain});
    (void)perform({.actor = which, .verb = Verb::release});
    if (reply.outcome != "messages") return reply.outcome;
  }
}

}  // namespace fairlead::killing
