// The large figure of tests/hostile: --count is the number of loads fed.
#include "fed_loads.hpp"
#include "support/soak_program.hpp"

int main(int count, char** arguments) {
  using namespace fairlead;
  const test::SoakOptions options = test::soak_options(count, arguments, {});
  test::SoakClock clock("hostile_deterministic", options);
  const hostile::FedLoads sum = hostile::feed_loads(options.seed, [&](const auto& so_far) {
    if (clock.due()) clock.show(so_far.text());
    return clock.goes_on(so_far.loads);
  });
  return clock.finish(sum.text(), sum.failure);
}
