// Guests, publishers and (--brokers N) the broker are killed at random under load; those that live
// find every stream byte for byte: each message once and in order, or reported as lost.
#include <cstdio>
#include <exception>
#include <string>

#include "chaos.hpp"
#include "support/soak_program.hpp"

namespace fairlead::test::random_kills {
namespace {

// No quota stands in the way, and a machine that is busy otherwise may let a guest wait for long.
constexpr const char* kPolicy = R"(
[broker]
maximum_guests = 4096
attach_deadline_ms = 60000
resume_grace_seconds = 20

[[principal]]
name = "agent.*"
uid = "self"
publish = ["kills.*"]
subscribe = ["kills.*"]
admission = "all"
[principal.quota]
guests = 2000
routes = 512
total_budget_bytes = 1073741824
outbox_bytes = 67108864
descriptors = 20000
attaches_per_minute = 1000000
)";

std::string figures_of(const SharedState& state, const Chaos& chaos) {
  std::string text = std::to_string(chaos.guests_killed()) + " guests killed (" + chaos.phases() +
                     "), " + std::to_string(chaos.brokers_killed()) + " brokers; ";
  text += std::to_string(state.acknowledged) + " messages acknowledged, " +
          std::to_string(state.received) + " received, " + std::to_string(state.reported_lost) +
          " reported lost, " + std::to_string(state.ended_losses) + " lost with their lanes, " +
          std::to_string(state.routes_checked) + " routes checked to the end";
  return text;
}

// Broker kills are spread over the guest kills: the next is due.
bool broker_is_due(const SoakOptions& options, const Chaos& chaos) {
  const std::uint64_t brokers = options.more.at("brokers");
  if (brokers == 0 || chaos.brokers_killed() >= brokers) return false;
  const std::uint64_t guests = options.count != 0 ? options.count : brokers * 10;
  return chaos.guests_killed() * brokers >= (chaos.brokers_killed() + 1) * guests;
}

std::string newest_lines(const std::string& log) {
  constexpr std::size_t kMostBytes = 400'000;
  return log.size() <= kMostBytes ? log : log.substr(log.size() - kMostBytes);
}

std::string leftovers(RestartedBroker& broker, bool brokers_die) {
  if (const int code = broker.stop(); code != 0) {
    return "the broker ended with " + std::to_string(code);
  }
  if (!broker.segments().empty()) return "left in /dev/shm: " + broker.segments().front();
  if (!brokers_die && !broker.log().empty()) return "the broker complained: " + broker.log();
  return {};
}

int run(const SoakOptions& options) {
  SoakClock clock("random_kills", options);
  SharedState& state = make_shared_state();
  const bool brokers_die = options.more.at("brokers") != 0;
  state.brokers_die = brokers_die;
  const ScratchDirectory files;
  RestartedBroker broker({"--log-level", brokers_die ? "info" : "warning", "--policy",
                          files.write("p.toml", kPolicy)});
  broker.start();
  std::string problem = broker.wait_until_ready();
  Chaos chaos(state, broker, options.seed);
  while (problem.empty() && clock.goes_on(chaos.guests_killed()) &&
         state.newest_life + 1 < kMostLives) {
    if (broker_is_due(options, chaos)) {
      chaos.kill_the_broker();
    } else {
      chaos.kill_a_guest();
    }
    if (clock.due()) clock.show(figures_of(state, chaos));
    problem = chaos.problem();
  }
  if (problem.empty()) {
    chaos.let_all_end();
    problem = chaos.problem();
  }
  if (problem.empty()) problem = leftovers(broker, brokers_die);
  if (!problem.empty()) std::fprintf(stderr, "%s", newest_lines(broker.log()).c_str());
  return clock.finish(figures_of(state, chaos), problem);
}

}  // namespace
}  // namespace fairlead::test::random_kills

int main(int count, char** arguments) try {
  using namespace fairlead::test;
  return random_kills::run(soak_options(count, arguments, {.count = 0, .more = {{"brokers", 0}}}));
} catch (const std::exception& error) {
  std::fprintf(stderr, "random_kills: %s\n", error.what());
  return 1;
}
