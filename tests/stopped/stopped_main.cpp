// The large figure of tests/stopped: order, share and bytes, then the latency, for each way to stop
// that this machine has, round after round. --count is rounds.
#include "service.hpp"
#include "support/soak_program.hpp"

int main(int count, char** arguments) {
  using namespace fairlead::test;
  const SoakOptions options = soak_options(count, arguments, {});
  SoakClock clock("stopped", options);
  std::string failure;
  std::string skipped;
  std::uint64_t served = 0;
  std::uint64_t rounds = 0;
  std::uint64_t stops = 0;
  double worst = 0;
  double alone_us = 0;     // of that one
  double with_copies = 0;  // the newest, of messages that go to three more routes first
  const auto figures = [&] {
    return std::to_string(rounds) + " rounds, " + std::to_string(stops) + " stops, " +
           std::to_string(served) + " messages in the same order, p50 at most " +
           std::to_string(worst) + " of alone (" + std::to_string(alone_us) + " us), " +
           std::to_string(with_copies) + " where three stopped guests get a copy each";
  };
  const auto check = [&](const char* name, WayToStop& way, std::uint64_t seed) {
    const ServiceResult alone = serve(nullptr, seed, 4'000);
    const ServiceResult beside = serve(&way, seed, 4'000);
    if (!(alone.failure + beside.failure).empty()) return alone.failure + beside.failure;
    if (alone.served.size() != beside.served.size()) return std::string("other messages");
    for (std::size_t at = 0; at < alone.served.size(); ++at) {
      Served expected = alone.served[at];
      expected.sequence = beside.served[at].sequence;
      if (expected != beside.served[at]) return "message " + std::to_string(at) + " is another";
    }
    served += alone.served.size();
    const LatencyResult latency =
        measure_latency(way, seed, false, [](std::uint64_t blocks) { return blocks < 300; });
    const LatencyResult copied =
        measure_latency(way, seed, true, [](std::uint64_t blocks) { return blocks < 100; });
    if (!(latency.failure + copied.failure).empty()) return latency.failure + copied.failure;
    with_copies = copied.ratio;
    if (latency.ratio > worst) {
      worst = latency.ratio;
      alone_us = latency.alone_ns / 1'000;
    }
    // 10 % of what was measured in turns, block by block.
    if (latency.ratio > 1.10)
      return std::string(name) + ": p50 is " + std::to_string(latency.ratio) +
             " times that of alone";
    return std::string();
  };
  struct Way {
    const char* name;
    std::unique_ptr<WayToStop> (*make)();
  };
  for (std::uint64_t seed = options.seed; failure.empty() && clock.goes_on(rounds); ++seed) {
    for (const Way& each : {Way{"signal", &stop_by_signal}, Way{"freezing", &stop_by_freezing},
                            Way{"quota", &stop_by_quota}}) {
      const auto way = each.make();
      if (!way->unavailable().empty()) {
        skipped = std::string("; not by ") + each.name + ": " + way->unavailable();
        continue;
      }
      if (!failure.empty() || !clock.goes_on(0)) break;
      failure = check(each.name, *way, seed);
      ++stops;
      if (clock.due()) clock.show(figures());
    }
    if (!failure.empty()) failure += ", seed " + std::to_string(seed);
    ++rounds;
  }
  return clock.finish(figures() + skipped, failure);
}
