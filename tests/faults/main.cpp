// The tests; or with --soak the full product of calls, occurrences and errnos, for tests/soak.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "broker_scene.hpp"
#include "program_scene.hpp"
#include "support/soak_program.hpp"
#include "sweep.hpp"

namespace fairlead::test {
namespace {

SweepOptions sweep_options(const SoakOptions& given) {
  SweepOptions options;
  options.most_occurrences = 0;
  options.shuffled = true;
  options.seed = given.seed;
  options.seconds = given.seconds;
  options.count = given.count;
  options.progress = [](const std::string& line) { std::cerr << line << std::endl; };
  return options;
}

std::vector<std::unique_ptr<Scene>> all_scenes() {
  std::vector<std::unique_ptr<Scene>> scenes;
  scenes.push_back(std::make_unique<BrokerScene>());
  scenes.push_back(std::make_unique<BrokerScene>(true));
  for (const std::string& name : program_scenes()) scenes.push_back(make_program_scene(name));
  return scenes;
}

// Time and count are shared out among the scenes; half of them is the broker's. --count is runs.
int soak(int count, char** arguments) {
  const SweepOptions options = sweep_options(soak_options(count, arguments, {}));
  const std::string why = why_not_traced();
  if (!why.empty()) {
    std::cerr << why << '\n';
    return EXIT_FAILURE;
  }
  const auto scenes = all_scenes();
  const double others = static_cast<double>(scenes.size() - 1) * 2;
  std::string figures;
  std::size_t failures = 0;
  for (const auto& scene : scenes) {
    const double share = scene == scenes.front() ? 0.5 : 1 / others;
    SweepOptions part = options;
    part.threads = scene == scenes.front() ? 2 : 1;
    part.seconds = options.seconds * share;
    if (options.count > 0)
      part.count = std::max<std::uint64_t>(
          1, static_cast<std::uint64_t>(static_cast<double>(options.count) * share));
    const SweepSummary summary = sweep(*scene, part);
    for (const std::string& failure : summary.failures) std::cerr << failure << std::endl;
    for (const std::string& call : summary.unknown_calls) std::cerr << "no row: " << call << '\n';
    failures += summary.failures.size() + summary.unknown_calls.size();
    figures += scene->name() + ": " + summary.text() + "; ";
  }
  std::cout << "faults: " << (failures == 0 ? "ok" : "FAILED") << ", seed " << options.seed << ": "
            << figures << failures << " failures\n";
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace fairlead::test

int main(int count, char** arguments) {
  using namespace fairlead::test;
  if (count > 1 && std::string(arguments[1]) == "--soak") {
    return soak(count - 1, arguments + 1);
  }
  testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
