// The large figure of tests/hostile_processes; build it with the preset asan-ubsan. --count is not
// used.
#include <cmath>

#include "siege.hpp"
#include "support/soak_program.hpp"

namespace {

constexpr double kAsLongAsItIsLeft = 1e9;  // seconds

std::string in_one_line(std::string text) {
  for (std::size_t at; (at = text.find("\n  ")) != std::string::npos;) text.replace(at, 3, "; ");
  return text;
}

}  // namespace

int main(int count, char** arguments) {
  using namespace fairlead;
  test::SoakOptions options = test::soak_options(count, arguments, {});
  if (options.seconds <= 0) options.seconds = kAsLongAsItIsLeft;
  test::SoakClock clock("hostile_concurrent", options);
  const auto result =
      hostile_processes::besiege({.seed = options.seed,
                                  .seconds = static_cast<std::uint64_t>(std::ceil(options.seconds)),
                                  .goes_on = [&](const std::string& line) {
                                    clock.show(line);
                                    return clock.goes_on(0);
                                  }});
  return clock.finish(in_one_line(result.summary), result.failure);
}
