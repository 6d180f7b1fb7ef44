#include "scenarios.hpp"

namespace fairlead::killing {
namespace {

using Steps = std::vector<Step>;

Steps operator+(Steps left, const Steps& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Steps publish_many(std::uint32_t count, std::uint32_t principal, std::uint32_t bytes) {
  return {{.verb = Verb::publish, .principal = principal, .bytes = bytes, .count = count}};
}

Steps operator*(std::size_t times, const Steps& steps) {
  Steps all;
  while (times-- > 0) all.insert(all.end(), steps.begin(), steps.end());
  return all;
}

Steps act(Actor actor, Verb verb) { return {{.actor = actor, .verb = verb}}; }
Steps publish(std::uint32_t principal, std::uint32_t bytes = 40) {
  return {{.verb = Verb::publish, .principal = principal, .bytes = bytes}};
}
Steps send(Actor actor, std::uint32_t bytes = 40) {
  return {{.actor = actor, .verb = Verb::send, .bytes = bytes}};
}
Steps subscribe(Actor actor, const RouteShape& shape = {}) {
  return {{.actor = actor, .verb = Verb::subscribe, .shape = shape}};
}
Steps guest(Verb verb) { return act(Actor::guest, verb); }

Steps with_guest(const RouteShape& shape = {}) {
  return act(Actor::broker, Verb::start) + guest(Verb::attach) + subscribe(Actor::guest, shape);
}
Steps with_bystander(const RouteShape& shape = {}) {
  return act(Actor::broker, Verb::start) + act(Actor::bystander, Verb::attach) +
         subscribe(Actor::bystander, shape);
}
Steps with_both(const RouteShape& shape = {}) {
  return with_bystander(shape) + guest(Verb::attach) + subscribe(Actor::guest, shape);
}

const RouteShape kTight{.budget_bytes = 4'096};
const RouteShape kFairShare{.eviction = shm::EvictionPolicy::fair_share, .budget_bytes = 4'096};
// Small messages: their overhead fills the one superblock long before the budget is used up.
const RouteShape kCapped{.budget_bytes = 64 * 1024, .cap_bytes = 64 * 1024};

std::vector<Scenario> make() {
  std::vector<Scenario> all;
  const auto broker = [&all](const char* name, Steps before, Steps traced) {
    all.push_back({name, Actor::broker, std::move(before), std::move(traced)});
  };
  const auto of_guest = [&all](const char* name, Steps before, Steps traced) {
    all.push_back({name, Actor::guest, std::move(before), std::move(traced)});
  };

  broker("broker_start", {}, act(Actor::broker, Verb::start));
  broker("broker_start_after_a_killed_one", {}, act(Actor::broker, Verb::start));
  all.back().predecessor = true;
  const Steps left_behind = with_both() + publish(0) + send(Actor::guest) + guest(Verb::drain) +
                            publish(1) + act(Actor::broker, Verb::succeed);
  broker("adopt", left_behind, act(Actor::broker, Verb::start));
  broker("adopt_and_resume", left_behind + act(Actor::broker, Verb::start),
         guest(Verb::drain) + send(Actor::guest) + publish(2) + guest(Verb::drain));
  broker("attach", with_bystander() + publish(0), guest(Verb::attach));
  all.back().stores_something = false;
  broker("subscribe", with_bystander() + guest(Verb::attach) + publish(0), subscribe(Actor::guest));
  broker("subscribe_sealed", with_bystander() + guest(Verb::attach) + publish(0),
         subscribe(Actor::guest, {.sealed = true, .descriptor = true}));
  broker("publish_by_host", with_both() + publish(0) + guest(Verb::drain) + publish(1),
         publish(0) + publish(1, 300) + publish(2));
  broker("accept", with_both() + send(Actor::guest), send(Actor::guest) + send(Actor::guest, 300));
  broker("evict_oldest_head", with_guest(kTight) + publish(3) + 4 * publish(0, 900),
         publish(1, 900) + publish(0, 900) + publish(2, 3'000));
  broker("evict_fair_share", with_guest(kFairShare) + publish(3) + 4 * publish(0, 900),
         publish(1, 900) + publish(0, 900) + publish(2, 3'000));
  broker("evict_at_the_hard_cap",
         with_guest(kCapped) + publish_many(300, 0, 8) + publish_many(600, 1, 8),
         publish(2, 8) + publish(0, 400));
  broker("gate_open",
         with_bystander() + guest(Verb::attach) + subscribe(Actor::guest, {.staged = true}) +
             publish(0),
         guest(Verb::open_gate) + publish(0));
  broker("guest_leaves", with_both() + publish(0) + guest(Verb::drain),
         guest(Verb::unsubscribe) + guest(Verb::leave));
  broker("broker_stop", with_both() + publish(0) + send(Actor::guest),
         act(Actor::broker, Verb::stop));

  of_guest("guest_attach_and_subscribe", with_bystander() + publish(0),
           guest(Verb::attach) + subscribe(Actor::guest, {.descriptor = true}));
  of_guest("guest_publish", with_both() + send(Actor::guest),
           2 * send(Actor::guest) + send(Actor::guest, 300));
  of_guest("guest_drain_and_release", with_both() + 3 * (publish(0) + publish(1)),
           guest(Verb::drain) + guest(Verb::release));
  of_guest("guest_keep", with_both() + 2 * publish(0),
           guest(Verb::drain) + guest(Verb::keep) + guest(Verb::release));
  of_guest("guest_leaves_by_itself", with_both() + publish(0) + guest(Verb::drain),
           guest(Verb::unsubscribe) + guest(Verb::leave));

  all.push_back({"worker_drain_keep_release", Actor::worker,
                 with_both() + act(Actor::worker, Verb::join) + publish(1) +
                     act(Actor::worker, Verb::drain) + 3 * (publish(0) + publish(2)),
                 act(Actor::worker, Verb::drain) + act(Actor::worker, Verb::keep) +
                     act(Actor::worker, Verb::release)});
  return all;
}

}  // namespace

const std::vector<Scenario>& named_scenarios() {
  static const std::vector<Scenario> all = make();
  return all;
}

}  // namespace fairlead::killing
