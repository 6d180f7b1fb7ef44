// No system call that fails crashes, hangs or silences anything, and it concerns one guest at most.
#include <iostream>

#include <gtest/gtest.h>

#include "broker_scene.hpp"
#include "program_scene.hpp"
#include "sweep.hpp"

namespace fairlead::test {
namespace {

class Sweep : public testing::Test {
 protected:
  void SetUp() override {
    if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "sanitizers do not like to be traced";
    const std::string why = why_not_traced();
    if (!why.empty()) GTEST_SKIP() << why;
  }
  static void expect_no_failure(Scene& scene, int threads = 1) {
    SweepOptions options;
    options.threads = threads;
    options.progress = [](const std::string& line) { std::cerr << line << '\n'; };
    const SweepSummary summary = sweep(scene, options);
    std::cout << scene.name() << ": " << summary.text() << '\n';
    for (const std::string& failure : summary.failures) ADD_FAILURE() << failure;
    for (const std::string& call : summary.unknown_calls)
      ADD_FAILURE() << "errnos.cpp has no row for " << call;
    EXPECT_GT(summary.struck, 0);
  }
};

TEST_F(Sweep, a_call_of_the_broker_that_fails_concerns_one_guest_at_most) {
  BrokerScene scene;
  expect_no_failure(scene, 2);
}

TEST_F(Sweep, a_call_of_the_next_broker_that_fails_concerns_one_guest_at_most) {
  BrokerScene scene(true);
  expect_no_failure(scene, 4);
}

class SweepOfPrograms : public Sweep, public testing::WithParamInterface<std::string> {};

TEST_P(SweepOfPrograms, a_call_that_fails_is_told_and_concerns_nobody_else) {
  expect_no_failure(*make_program_scene(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Each, SweepOfPrograms, testing::ValuesIn(program_scenes()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace fairlead::test
