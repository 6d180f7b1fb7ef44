// Too little of something, from nothing at all to enough: open files, address space, /dev/shm.
#include <sys/mount.h>
#include <sys/resource.h>

#include <iostream>

#include <gtest/gtest.h>

#include "broker_scene.hpp"
#include "program_scene.hpp"
#include "support/child_process.hpp"
#include "sweep.hpp"

namespace fairlead::test {
namespace {

constexpr rlim_t kMebibyte = 1024 * 1024;
// So many times in a row all must go well before more of it is taken for enough.
constexpr int kEnough = 3;

struct Steps {
  rlim_t first;
  rlim_t last;
  rlim_t step;
};

// Runs the scene with more and more; says what went wrong.
std::string climb(Scene& scene, const Steps& steps, const Strictness& strictness,
                  const std::function<void(TraceOptions&, rlim_t)>& limit) {
  int well = 0;
  for (rlim_t amount = steps.first; amount <= steps.last && well < kEnough; amount += steps.step) {
    TraceOptions trial;
    limit(trial, amount);
    const Outcome outcome = scene.run(std::move(trial), strictness);
    const bool all_well = outcome.report.code == 0 && outcome.sufferers.empty();
    well = all_well ? well + 1 : 0;
    if (outcome.problems.empty()) continue;
    std::string sentence = scene.name() + " with " + std::to_string(amount) + ":";
    for (const std::string& problem : outcome.problems) sentence += "\n  problem: " + problem;
    for (const std::string& each : outcome.sufferers) sentence += "\n  suffered: " + each;
    return sentence + "\n" + outcome.said;
  }
  return well == kEnough ? "" : scene.name() + ": the greatest amount is not enough";
}

std::function<void(TraceOptions&, rlim_t)> resource(int which) {
  return [which](TraceOptions& trial, rlim_t amount) { trial.limits = {{which, amount}}; };
}

class TooLittle : public testing::Test {
 protected:
  void SetUp() override {
    if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "sanitizers need much of everything";
    const std::string why = why_not_traced();
    if (!why.empty()) GTEST_SKIP() << why;
  }
  static constexpr Strictness kWhole{
      .unnoticed = false, .whole_process = true, .leftovers_allowed = false};
};

TEST_F(TooLittle, open_files_of_the_broker_are_told_in_words) {
  BrokerScene scene;
  EXPECT_EQ(climb(scene, {3, 200, 1}, kWhole, resource(RLIMIT_NOFILE)), "");
}

TEST_F(TooLittle, address_space_of_the_broker_is_told_in_words) {
  BrokerScene scene;
  EXPECT_EQ(climb(scene, {4 * kMebibyte, 1024 * kMebibyte, kMebibyte}, kWhole, resource(RLIMIT_AS)),
            "");
}

TEST_F(TooLittle, space_in_dev_shm_is_told_in_words) {
  constexpr rlim_t kPageBytes = 4'096;
  ChildProcess child([]() -> std::string {
    const std::string skipped = mount_own_shared_memory(kPageBytes);
    if (!skipped.empty()) return skipped;
    BrokerScene scene;
    const auto resize = [](TraceOptions&, rlim_t pages) {
      const std::string options = "mode=1777,size=" + std::to_string(pages * kPageBytes);
      ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_REMOUNT, options.c_str());
    };
    std::string wrong = climb(scene, {1, 24, 1}, kWhole, resize);
    if (wrong.ends_with("not enough")) wrong = climb(scene, {24, 1'000, 8}, kWhole, resize);
    return wrong;
  });
  const std::string said = child.result();
  if (said.starts_with(kSkipped)) GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
}

class TooLittleForPrograms : public TooLittle, public testing::WithParamInterface<std::string> {};

TEST_P(TooLittleForPrograms, is_told_and_concerns_nobody_else) {
  const auto scene = make_program_scene(GetParam());
  EXPECT_EQ(climb(*scene, {3, 60, 1}, {}, resource(RLIMIT_NOFILE)), "");
  EXPECT_EQ(climb(*scene, {4 * kMebibyte, 512 * kMebibyte, kMebibyte}, {}, resource(RLIMIT_AS)),
            "");
}

INSTANTIATE_TEST_SUITE_P(Each, TooLittleForPrograms, testing::ValuesIn(program_scenes()),
                         [](const auto& each) { return each.param; });

class RunningOut : public TooLittle, public testing::WithParamInterface<Shortage (*)()> {};

TEST_P(RunningOut, at_any_moment_is_told_in_words) {
  BrokerScene scene;
  // Most of the time guests wait for a broker that cannot let them in.
  const SweepSummary summary = sweep(scene, {.shortage = GetParam()(), .threads = 8});
  std::cout << scene.name() << ": " << summary.text() << '\n';
  for (const std::string& failure : summary.failures) ADD_FAILURE() << failure;
  EXPECT_GT(summary.struck, 0);
}

INSTANTIATE_TEST_SUITE_P(Each, RunningOut,
                         testing::Values(&shortage_of_memory, &shortage_of_descriptors,
                                         &shortage_of_space),
                         [](const auto& each) { return each.param().of; });

}  // namespace
}  // namespace fairlead::test
