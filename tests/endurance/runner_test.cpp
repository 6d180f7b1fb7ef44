// tests/soak with programs of our own in its list.
#include <signal.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class SoakRunner : public testing::Test {
 protected:
  void add(const std::string& name, const std::string& script) {
    const std::string path = directory_.write(name, "#!/bin/sh\n" + script + "\n");
    ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
    list(name);
  }
  void list(const std::string& name) {
    entries_ += name + " release none " + name + " --seed {seed} --seconds {seconds}\n";
  }

  Ended run(const std::vector<std::string>& arguments) {
    const std::string entries = directory_.write("entries.txt", entries_);
    std::vector<std::string> command = {"/usr/bin/python3", FAIRLEAD_SOURCE_DIR "/tests/soak",
                                        "--entries",        entries,
                                        "--binaries",       directory_.path(),
                                        "--logs",           directory_.path_of("logs")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_to_end(command);
  }

  ScratchDirectory directory_;
  std::string entries_ = "# a comment\n\n";
};

TEST_F(SoakRunner, passes_seed_and_time_on_and_shows_the_last_line_of_each) {
  add("first", "echo earlier; echo \"first: ok $*\"");
  add("second", "echo \"second: ok $*\"");
  const Ended ended = run({"--seed", "42", "--minutes", "1.5"});
  EXPECT_EQ(ended.code, 0) << ended.error;
  EXPECT_THAT(ended.output, HasSubstr("first: ok --seed 42 --seconds 90"));
  EXPECT_THAT(ended.output, HasSubstr("second: ok --seed 42 --seconds 90"));
  EXPECT_THAT(ended.output, HasSubstr("2 ok, 0 failed or missing"));
}

TEST_F(SoakRunner, a_failed_test_is_named_with_how_to_repeat_it) {
  add("good", "echo fine");
  add("bad", "echo \"bad: it broke\"; exit 1");
  const Ended ended = run({"--seed", "42", "--minutes", "1"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, HasSubstr("FAILED"));
  EXPECT_THAT(ended.output, HasSubstr("bad: it broke"));
  EXPECT_THAT(ended.output, HasSubstr("repeat: " + directory_.path_of("bad") + " --seed 42"));
  EXPECT_THAT(ended.output, HasSubstr("1 ok, 1 failed or missing"));
}

TEST_F(SoakRunner, what_is_not_built_is_named_and_no_success) {
  list("absent");
  const Ended ended = run({"--minutes", "1"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, HasSubstr("MISSING"));
  EXPECT_THAT(ended.output, HasSubstr(directory_.path_of("absent") + " is not there"));
}

TEST_F(SoakRunner, a_test_that_does_not_end_is_ended_with_its_children) {
  add("endless", "sleep 1000 & echo $! >" + directory_.path_of("child") + "; wait");
  const Ended ended = run({"--minutes", "0.001", "--grace", "0.3"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, HasSubstr("did not end after"));
  const Ended child = run_to_end({"/bin/sh", "-c",
                                  "read pid <" + directory_.path_of("child") +
                                      "; grep State /proc/$pid/status 2>/dev/null || true"});
  EXPECT_THAT(child.output, Not(HasSubstr("sleeping")));
}

TEST_F(SoakRunner, an_interrupted_run_asks_its_tests_to_end_and_sums_up) {
  add("long", "trap 'echo tidied up; exit 0' TERM; echo started >&2; sleep 1000 & wait");
  add("never", "echo began");
  const std::string entries = directory_.write("entries.txt", entries_);
  Program runner({"/usr/bin/python3", FAIRLEAD_SOURCE_DIR "/tests/soak", "--entries", entries,
                  "--jobs", "1", "--binaries", directory_.path(), "--logs",
                  directory_.path_of("logs")});
  const std::string begun = "grep -q started " + directory_.path_of("logs/long.err");
  const std::string wait = "until " + begun + " 2>/dev/null; do :; done";
  ASSERT_EQ(run_to_end({"/bin/sh", "-c", wait}).code, 0);
  EXPECT_TRUE(runner.signal(SIGINT));
  EXPECT_EQ(runner.exit_code(), 1);
  EXPECT_THAT(runner.output(), HasSubstr("tidied up"));
  EXPECT_THAT(runner.output(), HasSubstr("interrupted before it began"));
}

TEST_F(SoakRunner, runs_only_what_was_asked_for) {
  add("first", "echo first ran");
  add("second", "echo second ran");
  const Ended ended = run({"--only", "second", "--minutes", "1"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.output, Not(HasSubstr("first ran")));
  EXPECT_THAT(ended.output, HasSubstr("second ran"));
  const Ended unknown = run({"--only", "third"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.error, HasSubstr("no entry 'third'; there are first, second"));
}

TEST_F(SoakRunner, runs_no_more_at_once_than_there_are_jobs) {
  const std::string alone = "mkdir " + directory_.path_of("busy") +
                            " || exit 1; sleep 0.2; rmdir " + directory_.path_of("busy");
  for (const char* name : {"one", "two", "three"}) add(name, alone);
  EXPECT_EQ(run({"--jobs", "1", "--minutes", "1"}).code, 0);
}

TEST(SoakPrograms, end_in_order_when_they_are_told_to) {
  Program program({FAIRLEAD_BUILD_DIR "/tests/soaks/random_kills"});
  // Its broker and all its guests.
  const std::string children = "grep -lE '^PPid:[[:space:]]+" + std::to_string(program.pid()) +
                               "$' /proc/[0-9]*/status 2>/dev/null | wc -l";
  const std::string wait = "until [ $(" + children + ") -ge 13 ]; do :; done";
  ASSERT_EQ(run_to_end({"/bin/sh", "-c", wait}).code, 0);
  EXPECT_TRUE(program.signal(SIGTERM));
  EXPECT_EQ(program.exit_code(), 0) << program.error();
  EXPECT_THAT(program.output(), HasSubstr("random_kills: ok"));
}

TEST(SoakEntries, run_the_programs_of_this_build) {
  const ScratchDirectory logs;
  const Ended ended =
      run_to_end({"/usr/bin/python3", FAIRLEAD_SOURCE_DIR "/tests/soak", "--only", "random_kills",
                  "--minutes", "0.02", "--binaries", FAIRLEAD_BUILD_DIR, "--logs", logs.path()});
  EXPECT_EQ(ended.code, 0) << ended.output << ended.error;
  EXPECT_THAT(ended.output, HasSubstr("guests killed"));
}

}  // namespace
}  // namespace fairlead::test
