#include "fed_loads.hpp"

#include "single_operations.hpp"

namespace fairlead::hostile {

namespace {

constexpr int kStageSteps = 5'000;
constexpr int kSingleSteps = 2'000;
constexpr std::uint64_t kSingles = 20;  // per stage

void add(const WordCounts& counts, FedLoads& sum) {
  for (std::size_t word = 0; word < kWords; ++word) sum.by_word[word] += counts[word];
}

void play_stage(std::uint64_t seed, FedLoads& sum) {
  Choices choices(seed);
  Stage stage(choices);
  for (int step = 0; step < kStageSteps; ++step) stage.step();
  stage.finish();
  const Stage::Tally tally = stage.tally();
  sum.operations += kStageSteps;
  sum.loads += tally.loads;
  add(tally.by_word, sum);
  sum.stages.loads += tally.loads;
  sum.stages.poisoned += tally.poisoned;
  sum.stages.violated += tally.violated;
  sum.stages.evicted += tally.evicted;
  sum.stages.delivered += tally.delivered;
  sum.stages.of_the_hostile += tally.of_the_hostile;
}

void play_writer(std::uint64_t seed, FedLoads& sum) {
  Choices choices(seed);
  RandomTampering tampering(choices);
  WriterOperations writer(
      choices, tampering,
      {.budget = 100'000, .cap = 512 * 1024, .lanes = seed % 2 == 0 ? 64U : 256U});
  for (int step = 0; step < kSingleSteps && !writer.poisoned(); ++step, ++sum.operations)
    writer.step();
  if (writer.poisoned()) ++sum.poisoned;
  sum.loads += tampering.loads();
  add(tampering.loads_by_word(), sum);
}

void play_outbox(std::uint64_t seed, FedLoads& sum) {
  Choices choices(seed);
  RandomTampering tampering(choices);
  OutboxOperations outbox(choices, tampering);
  for (int step = 0; step < kSingleSteps && !outbox.violated(); ++step, ++sum.operations)
    outbox.step();
  if (outbox.violated()) ++sum.violated;
  sum.loads += tampering.loads();
  add(tampering.loads_by_word(), sum);
}

}  // namespace

std::string FedLoads::text() const {
  return std::to_string(loads) + " loads fed in " + std::to_string(operations) + " operations, " +
         std::to_string(stages.poisoned + poisoned) + " routes poisoned, " +
         std::to_string(stages.violated + violated) + " outboxes refused, " +
         std::to_string(stages.evicted) + " evicted from hostile routes, " +
         std::to_string(stages.delivered) + " delivered to honest ones, " +
         std::to_string(stages.of_the_hostile) + " of them from hostile guests; next seed " +
         std::to_string(next_seed);
}

FedLoads feed_loads(std::uint64_t first_seed, const std::function<bool(const FedLoads&)>& go_on) {
  FedLoads sum;
  sum.next_seed = first_seed;
  do {
    const std::uint64_t seed = sum.next_seed++;
    try {
      play_stage(seed, sum);
      for (std::uint64_t single = 0; single < kSingles; ++single) {
        play_writer(seed * kSingles + single, sum);
        play_outbox(seed * kSingles + single, sum);
      }
    } catch (const Broken& broken) {
      sum.failure = std::string(broken.what()) + ", seed " + std::to_string(seed);
      return sum;
    }
  } while (go_on(sum));
  return sum;
}

}  // namespace fairlead::hostile
