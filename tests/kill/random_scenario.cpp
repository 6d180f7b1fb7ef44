#include <random>

#include "scenarios.hpp"

namespace fairlead::killing {
namespace {

class RandomSteps {
 public:
  explicit RandomSteps(std::uint64_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t end) {
    return std::uniform_int_distribution<std::uint32_t>(0, end - 1)(random_);
  }
  bool once_in(std::uint32_t times) { return below(times) == 0; }

  RouteShape shape() {
    constexpr shm::EvictionPolicy kPolicies[] = {shm::EvictionPolicy::oldest_head,
                                                 shm::EvictionPolicy::fair_share,
                                                 shm::EvictionPolicy::reject};
    constexpr std::uint64_t kBudgets[] = {4'096, 8'192, 64 * 1024};
    constexpr std::uint64_t kCaps[] = {0, 64 * 1024, 128 * 1024};
    const std::uint64_t budget = kBudgets[below(3)];
    return {.eviction = kPolicies[below(3)],
            .budget_bytes = budget,
            .cap_bytes = budget == kBudgets[2] ? kCaps[below(3)] : 0,
            .sealed = once_in(4),
            .descriptor = once_in(4),
            .staged = once_in(8)};
  }

  Step publish() { return {.verb = Verb::publish, .principal = below(4), .bytes = size()}; }
  Step by(Actor actor, Verb verb) { return {.actor = actor, .verb = verb, .bytes = 0}; }
  Step send(Actor actor) { return {.actor = actor, .verb = Verb::send, .bytes = size()}; }
  Step drain(Actor actor) {
    return {.actor = actor, .verb = Verb::drain, .bytes = once_in(2) ? 0 : 1 + below(2'000)};
  }
  /// Of somebody who takes messages.
  Step use(Actor actor) {
    switch (below(5)) {
      case 0:
        return by(actor, Verb::keep);
      case 1:
        return by(actor, Verb::release);
      default:
        return drain(actor);
    }
  }
  Step any(Actor taker) {
    switch (below(8)) {
      case 0:
        return send(Actor::guest);
      case 1:
        return send(Actor::bystander);
      case 2:
        return use(taker);
      case 3:
        return use(once_in(2) ? Actor::bystander : Actor::guest);
      default:
        return publish();
    }
  }
  Step of_broker() {
    switch (below(24)) {
      case 0:
        return by(Actor::broker, Verb::stop);
      case 1:
        return by(Actor::guest, Verb::unsubscribe);
      case 2:
        return by(Actor::guest, Verb::leave);
      case 3:
        return by(Actor::guest, Verb::open_gate);
      default:
        return any(Actor::guest);
    }
  }
  Step of_guest() {
    switch (below(12)) {
      case 0:
        return by(Actor::guest, Verb::unsubscribe);
      case 1:
        return by(Actor::guest, Verb::open_gate);
      case 2:
      case 3:
      case 4:
        return send(Actor::guest);
      default:
        return use(Actor::guest);
    }
  }

 private:
  std::uint32_t size() {
    constexpr std::uint32_t kSizes[] = {8, 60, 300, 900, 2'500};
    return 1 + below(kSizes[below(5)]);
  }

  std::mt19937_64 random_;
};

bool ends(const Step& step) {
  return step.verb == Verb::stop || step.verb == Verb::leave || step.verb == Verb::unsubscribe;
}

}  // namespace

Scenario random_scenario(std::uint64_t seed) {
  RandomSteps random(seed);
  Scenario scenario;
  scenario.name = "seed_" + std::to_string(seed);
  constexpr Actor kVictims[] = {Actor::broker, Actor::broker, Actor::guest, Actor::worker};
  scenario.victim = kVictims[random.below(4)];
  std::vector<Step>& before = scenario.before;
  before.push_back({.verb = Verb::start});
  for (const Actor each : {Actor::bystander, Actor::guest}) {
    before.push_back(random.by(each, Verb::attach));
    before.push_back({.actor = each, .verb = Verb::subscribe, .shape = random.shape()});
  }
  if (scenario.victim == Actor::worker) before.push_back(random.by(Actor::worker, Verb::join));
  const Actor taker = scenario.victim == Actor::worker ? Actor::worker : Actor::guest;
  for (std::uint32_t left = random.below(16); left > 0; --left) before.push_back(random.any(taker));
  for (std::uint32_t left = 1 + random.below(4); left > 0; --left) {
    const Step step = scenario.victim == Actor::broker  ? random.of_broker()
                      : scenario.victim == Actor::guest ? random.of_guest()
                                                        : random.use(Actor::worker);
    scenario.traced.push_back(step);
    if (ends(step)) break;
  }
  return scenario;
}

}  // namespace fairlead::killing
