// The large figure of tests/hostile_processes; build it with the preset asan-ubsan. --count is not
// used.
#include "siege.hpp"
#include "support/soak.hpp"

int main(int count, char** arguments) {
  using namespace fairlead;
  const test::SoakOptions options = test::parse_soak_options(count, arguments);
  test::SoakClock clock(options.seconds);
  const auto result = hostile_processes::besiege(
      {.seed = options.seed, .seconds = options.seconds, .progress = [&](const std::string& line) {
         clock.progress([&] { return line; });
       }});
  // One line.
  std::string summary = result.summary;
  for (std::size_t at; (at = summary.find("\n  ")) != std::string::npos;)
    summary.replace(at, 3, "; ");
  return test::finish_soak("seed " + std::to_string(options.seed) + ", " + summary, result.failure);
}
