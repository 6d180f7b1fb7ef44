// Any bytes as the doings of hostile guests: what the broker loads of their memory, when it
// changes, and what the broker does meanwhile. Nobody but they themselves may be harmed
// (tests/hostile).
//
// Input: a first byte says what is played; the rest is drawn on for every decision, to its end.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "hostile/single_operations.hpp"
#include "hostile/stage.hpp"

namespace fairlead::hostile {
namespace {

constexpr int kMostSteps = 2'000;  // of one input

void run_stage(Choices& choices) {
  Stage stage(choices);
  for (int step = 0; step < kMostSteps && !choices.exhausted(); ++step) stage.step();
  stage.finish();
}

void run_writer(Choices& choices) {
  RandomTampering tampering(choices);
  WriterOperations writer(choices, tampering, {.budget = 100'000, .cap = 512 * 1024, .lanes = 64});
  for (int step = 0; step < kMostSteps && !choices.exhausted() && !writer.poisoned(); ++step)
    writer.step();
}

void run_outbox(Choices& choices) {
  RandomTampering tampering(choices);
  OutboxOperations outbox(choices, tampering);
  for (int step = 0; step < kMostSteps && !choices.exhausted() && !outbox.violated(); ++step)
    outbox.step();
}

void run(Choices& choices) {
  switch (choices.below(4)) {
    case 0:
      return run_writer(choices);
    case 1:
      return run_outbox(choices);
    default:
      return run_stage(choices);
  }
}

}  // namespace
}  // namespace fairlead::hostile

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::hostile;
  try {
    Choices choices(std::span(data, size));
    run(choices);
  } catch (const Broken& broken) {
    std::fprintf(stderr, "%s\n", broken.what());
    std::abort();
  }
  return 0;
}
