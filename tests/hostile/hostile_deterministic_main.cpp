// The large figure of tests/hostile: --count is the number of loads fed.
#include "fed_loads.hpp"
#include "support/soak.hpp"

int main(int count, char** arguments) {
  using namespace fairlead;
  const test::SoakOptions options = test::parse_soak_options(count, arguments);
  test::SoakClock clock(options.seconds);
  const hostile::FedLoads sum = hostile::feed_loads(options.seed, [&](const auto& so_far) {
    clock.progress([&] { return so_far.text(); });
    return !clock.over() && so_far.loads < options.count;
  });
  return test::finish_soak("seed " + std::to_string(options.seed) + ", " + sum.text(), sum.failure);
}
