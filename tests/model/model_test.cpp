// Random operation sequences on the delivery core and on the reference model.
//
// FAIRLEAD_SEED=N          starts from that seed instead of a fixed one
// FAIRLEAD_OPERATIONS=N    runs so many operations per driver
// FAIRLEAD_REPLAY=FILE     runs the sequence in FILE, as a failure prints it
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "contest.hpp"
#include "shrink.hpp"

namespace fairlead::test {
namespace {

constexpr std::uint64_t kSeed = 20'240'601;
constexpr std::chrono::seconds kShrinkPatience{30};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

std::uint64_t operations_for(DriverKind kind) {
  const std::uint64_t all = kind == DriverKind::heap            ? 1'100'000
                            : kind == DriverKind::two_processes ? 20'000
                                                                : 100'000;
  return number_from("FAIRLEAD_OPERATIONS", FAIRLEAD_SANITIZED ? all / 25 : all);
}

std::string report(const Sequence& sequence, DriverKind kind, const ContestOptions& options) {
  const auto run = [&](const Sequence& candidate) {
    const auto driver = make_driver(kind);
    return run_contest(*driver, candidate, options);
  };
  const ContestResult whole = run(sequence);
  Sequence failing(sequence.begin(), sequence.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                            whole.at + 1, sequence.size())));
  failing = shrink(
      failing, [&](const Sequence& candidate) { return !run(candidate).same(); }, kShrinkPatience);
  const ContestResult last = run(failing);
  return whole.difference + "\nshrunk from " + std::to_string(sequence.size()) + " to " +
         std::to_string(failing.size()) + " operations: " + last.difference +
         "\nsave these lines and set FAIRLEAD_REPLAY to the file's path\n" + to_text(failing);
}

class Model : public testing::TestWithParam<DriverKind> {};

TEST_P(Model, random_sequences_do_what_the_rules_say) {
  const std::uint64_t wanted = operations_for(GetParam());
  std::uint64_t seed = number_from("FAIRLEAD_SEED", kSeed);
  std::cout << "FAIRLEAD_SEED=" << seed << std::endl;
  const auto driver = make_driver(GetParam());
  const ContestOptions options;
  std::uint64_t operations = 0;
  ContestResult sum;
  for (std::size_t round = 0; operations < wanted; ++round, ++seed) {
    const Profile& profile = profiles()[round % profiles().size()];
    const Sequence sequence = make_sequence(seed, profile);
    const ContestResult result = run_contest(*driver, sequence, options);
    ASSERT_TRUE(result.same()) << "FAIRLEAD_SEED=" << seed << ", profile " << profile.name
                               << ", operation " << result.at << ": "
                               << report(sequence, GetParam(), options);
    operations += sequence.size();
    sum.publishes += result.publishes;
    sum.delivered += result.delivered;
    sum.evicted += result.evicted;
  }
  std::cout << operations << " operations: " << sum.publishes << " published, " << sum.delivered
            << " taken, " << sum.evicted << " evicted" << std::endl;
  EXPECT_GT(sum.delivered, operations / 20);
  EXPECT_GT(sum.evicted, operations / 20);
}

INSTANTIATE_TEST_SUITE_P(Drivers, Model, testing::ValuesIn(kDrivers),
                         testing::PrintToStringParamName());

TEST(ModelReplay, runs_the_sequence_that_FAIRLEAD_REPLAY_names) {
  const char* const path = std::getenv("FAIRLEAD_REPLAY");
  if (path == nullptr) GTEST_SKIP() << "FAIRLEAD_REPLAY is not set";
  std::ifstream file(path);
  const auto sequence = parse(file);
  ASSERT_TRUE(sequence.has_value());
  const auto driver = make_driver(DriverKind::heap);
  const ContestResult result = run_contest(*driver, *sequence, {});
  EXPECT_TRUE(result.same()) << "operation " << result.at << ": " << result.difference;
}

// A model with a mistake in it stands for code with one: the contest finds it, in few operations.
TEST(ModelContest, finds_a_mistake_and_shrinks_the_sequence_that_shows_it) {
  struct Case {
    Mistake mistake;
    std::size_t profile;
    std::size_t few;
  };
  // More lanes than 64 take 65 publishes.
  for (const auto& [mistake, profile, few] :
       {Case{Mistake::budget_one_byte_larger, 1, 12}, Case{Mistake::one_lane_more, 2, 100},
        Case{Mistake::admits_everybody, 1, 12}}) {
    const ContestOptions options{.mistake = mistake};
    bool found = false;
    for (std::uint64_t seed = 1; seed <= 30 && !found; ++seed) {
      const Sequence sequence = make_sequence(seed, profiles()[profile]);
      const auto run = [&](const Sequence& candidate) {
        const auto driver = make_driver(DriverKind::heap);
        return !run_contest(*driver, candidate, options).same();
      };
      if (!run(sequence)) continue;
      found = true;
      const Sequence failing = shrink(sequence, run, std::chrono::minutes(3));
      EXPECT_LE(failing.size(), few) << to_text(failing);
      EXPECT_TRUE(run(failing));
    }
    EXPECT_TRUE(found) << "mistake " << static_cast<int>(mistake) << " stayed unnoticed";
  }
}

TEST(ModelContest, a_sequence_survives_being_written_and_read) {
  for (const Profile& profile : profiles()) {
    const Sequence sequence = make_sequence(3, profile);
    std::istringstream lines(to_text(sequence));
    EXPECT_EQ(parse(lines), sequence);
  }
  std::istringstream nonsense("publish 1 2");
  EXPECT_FALSE(parse(nonsense).has_value());
}

TEST(ModelShrink, keeps_exactly_the_operations_that_matter) {
  Sequence sequence(1'000);
  for (std::size_t each = 0; each < sequence.size(); ++each) sequence[each].numbers[0] = each;
  const auto contains = [](const Sequence& candidate, std::uint64_t number) {
    return std::any_of(candidate.begin(), candidate.end(), [number](const Operation& operation) {
      return operation.numbers[0] == number;
    });
  };
  const Sequence shrunk = shrink(
      sequence,
      [&](const Sequence& candidate) {
        return contains(candidate, 17) && contains(candidate, 500) && contains(candidate, 983);
      },
      kShrinkPatience);
  ASSERT_EQ(shrunk.size(), 3U);
}

}  // namespace
}  // namespace fairlead::test
