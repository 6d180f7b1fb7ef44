// No operation of the broker loads a word of guests' memory twice: a check and a use that each look
// are two different looks.
//
// Where it must look again, and what that costs:
//   - a lane's head, by the exchange of an eviction: what a failed one saw is a new look, checked
//     like the first, and the old one is forgotten
//   - a lane's head, by each operation anew: before a message is evicted the broker looks again
//     (R15), and once more after an append (settle)
//   - an outbox's tail, behind a filler: checked like the first look
//   - figures that are shown to people (held, duplicates, uncovered visits): they decide nothing
#include <gtest/gtest.h>

#include "single_operations.hpp"

namespace fairlead::hostile {
namespace {

TEST(SingleFetch, no_operation_of_a_route_s_writer_loads_a_word_twice) {
  std::map<std::string, std::uint64_t> most;
  std::uint64_t poisoned = 0;
  const std::uint64_t wanted = FAIRLEAD_SANITIZED ? 100'000 : 1'000'000;
  std::uint64_t loads = 0;
  for (std::uint64_t seed = 1; loads < wanted; ++seed) {
    Choices choices(seed);
    RandomTampering tampering(choices);
    WriterOperations writer(
        choices, tampering,
        {.budget = 100'000, .cap = 512 * 1024, .lanes = seed % 2 == 0 ? 64U : 256U});
    for (int step = 0; step < 2'000 && !writer.poisoned(); ++step) {
      ASSERT_NO_THROW(writer.step()) << "seed " << seed << ", step " << step;
    }
    if (writer.poisoned()) ++poisoned;
    loads += tampering.loads();
    for (const auto& [name, count] : writer.most_loads()) most[name] = std::max(most[name], count);
  }
  EXPECT_GT(poisoned, 0U);
  // Bounds that hold for every single operation, whatever the guest writes.
  EXPECT_LE(most["observe"], 4U);
  EXPECT_LE(most["evict_head"], 4U);
  EXPECT_LE(most["next_report"], 2U);
  EXPECT_LE(most["settle"], 3U);
  EXPECT_LE(most["append"], kReclaimLoads);
  EXPECT_LE(most["reclaim"], kReclaimLoads);
  EXPECT_LE(most["trim"], kReclaimLoads + 3);
  EXPECT_LE(most["close_lane"], 2U);
  EXPECT_EQ(most.size(), 8U);
}

TEST(SingleFetch, no_look_at_an_outbox_loads_a_word_twice_or_leaves_the_ring) {
  std::uint64_t violated = 0;
  std::uint64_t messages = 0;
  const std::uint64_t seeds = FAIRLEAD_SANITIZED ? 300 : 3'000;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Choices choices(seed);
    RandomTampering tampering(choices);
    OutboxOperations outbox(choices, tampering);
    for (int step = 0; step < 500 && !outbox.violated(); ++step) {
      ASSERT_NO_THROW(outbox.step()) << "seed " << seed << ", step " << step;
    }
    if (outbox.violated()) ++violated;
    messages += outbox.messages();
  }
  EXPECT_GT(violated, seeds / 2);
  EXPECT_GT(messages, seeds * 5);
}

}  // namespace
}  // namespace fairlead::hostile
