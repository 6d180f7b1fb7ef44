// An honest guest in the sandbox has all it needs, and `run` treats it as it does outside.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "sandboxed.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;

class GuestInSandbox : public Sandboxed {};

TEST_F(GuestInSandbox, attaches_publishes_and_drains_behind_an_enforced_boundary) {
  Program sub(sandboxed({FAIRLEAD_PROGRAM, "sub", "t", "--count", "2"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t as route 1, boundary enforced")) << sub.error();
  const Ended pub = run_to_end(sandboxed({FAIRLEAD_PROGRAM, "pub", "t", "--lines"}), "a\nb\n");
  EXPECT_EQ(pub.code, 0) << pub.error;
  EXPECT_THAT(pub.error, HasSubstr(" as agent.x: 2 deliveries: taken 2"));
  EXPECT_EQ(sub.exit_code(), 0);
  EXPECT_EQ(sub.output(), "t agent.x a\nt agent.x b\n");
}

TEST_F(GuestInSandbox, has_the_exit_code_and_the_signal_of_the_command) {
  EXPECT_EQ(run_to_end(sandboxed({"sh", "-c", "exit 42"})).code, 42);
  EXPECT_EQ(run_to_end(sandboxed({"sh", "-c", "exit 1"})).code, 1);
  EXPECT_EQ(run_to_end(sandboxed({"sh", "-c", "kill -KILL $$"})).code, 128 + SIGKILL);
}

TEST_F(GuestInSandbox, gets_signals_and_may_end_in_its_own_way) {
  Program program(
      sandboxed({"sh", "-c", "trap 'echo caught; exit 9' TERM; echo ready; read x; read x"}),
      {.keep_input = true});
  ASSERT_TRUE(program.wait_for_output("ready\n")) << program.error();
  program.signal(SIGTERM);
  EXPECT_TRUE(program.wait_for_output("caught\n"));
  EXPECT_EQ(program.exit_code(), 9);
}

TEST_F(GuestInSandbox, an_interrupt_of_the_terminal_reaches_the_command_and_nothing_else) {
  std::string line = "exec ";  // not every shell does so by itself, and one in between dies of it
  for (const std::string& word : sandboxed({"/bin/sh", "-c",
                                            "trap 'echo caught; exit 9' INT; "
                                            "echo ready; read x; read x"})) {
    line += '"' + word + "\" ";
  }
  Program terminal({"/usr/bin/script", "-qefc", line, "/dev/null"}, {.keep_input = true});
  ASSERT_TRUE(terminal.wait_for_output("ready")) << terminal.output();
  terminal.write_input("\x03");
  EXPECT_TRUE(terminal.wait_for_output("caught")) << terminal.output();
  EXPECT_EQ(terminal.exit_code(), 9);
}

TEST_F(GuestInSandbox, ends_with_fairlead_run) {
  Program program(sandboxed({FAIRLEAD_PROGRAM, "sub", "t"}));
  ASSERT_TRUE(program.wait_for_error("subscribed to t")) << program.error();
  program.signal(SIGKILL);
  EXPECT_TRUE(broker_.program().wait_for_error("hung up"));
}

TEST_F(GuestInSandbox, has_the_connection_and_its_keeper_and_no_other_descriptor) {
  const Ended ended = run_to_end(sandboxed({"ls", "/proc/self/fd"}));
  EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 6) << "and ls's own";
  // Neither one that whoever started `run` left open, wherever it stands.
  for (const std::string number : {"3", "9", "77"}) {
    std::vector<std::string> leaking = {"/bin/bash", "-c",
                                        "exec " + number + "</etc/hostname; \"$@\"", "x"};
    for (const std::string& word : sandboxed({"ls", "/proc/self/fd"})) leaking.push_back(word);
    const Ended leaked = run_to_end(leaking);
    EXPECT_EQ(std::count(leaked.output.begin(), leaked.output.end(), '\n'), 6) << number;
  }
}

TEST_F(GuestInSandbox, its_keeper_connects_it_to_the_next_broker_as_the_same_principal) {
  Program program(sandboxed({FAIRLEAD_HELPERS_DIR "/ask_keeper"}), {.keep_input = true});
  ASSERT_TRUE(program.wait_for_output("attached\n")) << program.error();
  broker_.end_by(SIGKILL);
  program.write_input("\n");
  broker_.start_again();
  EXPECT_EQ(program.exit_code(), 0) << program.error();
  EXPECT_EQ(program.output(), "attached\nback as agent.x in epoch 2\n");
}

TEST_F(GuestInSandbox, a_script_is_started_through_its_interpreter) {
  const ScratchDirectory scratch;
  const std::string script = scratch.write("script", "#!/usr/bin/env sh\necho $0 $1 $2\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const Ended ended = run_to_end(sandboxed({script, "a", "b c"}));
  EXPECT_EQ(ended.output, script + " a b c\n") << ended.error;
}

TEST_F(GuestInSandbox, what_cannot_be_started_is_told_apart) {
  EXPECT_EQ(run_to_end(sandboxed({"no-such-program-anywhere"})).code, 127);
  EXPECT_EQ(run_to_end(sandboxed({"/usr"})).code, 126);
  const ScratchDirectory scratch;
  const std::string script = scratch.write("script", "#!/no/such\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  EXPECT_EQ(run_to_end(sandboxed({script})).code, 127);
}

TEST_F(GuestInSandbox, a_sandbox_that_cannot_be_made_is_a_failure_of_run) {
  const ScratchDirectory scratch;
  const std::string bwrap = scratch.write("bwrap", "#!/bin/sh\necho bwrap: no >&2; exit 1\n");
  std::filesystem::permissions(bwrap, std::filesystem::perms::owner_all);
  const ProgramOptions broken{.environment = {"PATH=" + scratch.path() + ":/usr/bin:/bin"}};
  EXPECT_EQ(run_to_end(sandboxed({"true"}), {}, broken).code, 125);
  const ProgramOptions none{.environment = {"PATH=/nowhere"}};
  const Ended ended = run_to_end(sandboxed({"/bin/true"}), {}, none);
  EXPECT_EQ(ended.code, 125);
  EXPECT_THAT(ended.error, HasSubstr("there is no bwrap"));
}

TEST_F(GuestInSandbox, what_would_open_the_sandbox_is_refused) {
  for (const std::string path :
       {"/", "/proc", "/dev/shm", "/dev", "/sys", "/no/such", "/proc/self/root"}) {
    EXPECT_EQ(run_to_end(sandboxed({"true"}, {"--bind-read", path})).code, 125) << path;
  }
}

TEST_F(GuestInSandbox, does_without_landlock_unless_it_is_required) {
  std::vector<std::string> command = sandboxed({kAttempt, "open_to_read", "/.fairlead"});
  command.insert(command.begin(), FAIRLEAD_HELPERS_DIR "/without_landlock");
  const Ended without = run_to_end(command);
  EXPECT_EQ(without.output, "succeeded\n");
  EXPECT_EQ(without.error, "fairlead run: this kernel has no Landlock; the sandbox does without\n");
  command = sandboxed({"true"}, {"--require-landlock"});
  command.insert(command.begin(), FAIRLEAD_HELPERS_DIR "/without_landlock");
  const Ended required = run_to_end(command);
  EXPECT_EQ(required.code, 125);
  EXPECT_EQ(required.error,
            "fairlead run: this kernel has no Landlock, which --require-landlock asks for\n");
}

TEST(SandboxOptions, go_with_sandbox_only) {
  for (const std::string option : {"--explain", "--require-landlock", "--bind-read=/usr"}) {
    EXPECT_EQ(run_to_end(fairlead({"run", "--principal", "a", option, "--", "true"})).code, 125);
  }
}

}  // namespace
}  // namespace fairlead::test
