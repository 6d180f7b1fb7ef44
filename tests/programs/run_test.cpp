// `fairlead run`: the connection, the exit codes and the signals.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/child_process.hpp"
#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;

class Run : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> words) const {
    std::vector<std::string> all = {"run",      "--principal",    "agent.x",
                                    "--socket", broker_.socket(), "--"};
    all.insert(all.end(), words.begin(), words.end());
    return fairlead(std::move(all));
  }
  [[nodiscard]] std::vector<std::string> shell(const std::string& script) const {
    return command({"sh", "-c", script});
  }

  BrokerProcess broker_;
};

TEST_F(Run, the_exit_code_is_the_commands) {
  for (const int code : {0, 1, 42, 255}) {
    EXPECT_EQ(run_to_end(shell("exit " + std::to_string(code))).code, code);
  }
}

TEST_F(Run, a_signal_that_ends_the_command_is_told_like_a_shell_does) {
  EXPECT_EQ(run_to_end(shell("kill -TERM $$")).code, 128 + SIGTERM);
  EXPECT_EQ(run_to_end(shell("kill -KILL $$")).code, 128 + SIGKILL);
}

TEST_F(Run, what_cannot_be_started_is_told_apart) {
  const Ended nowhere = run_to_end(command({"no-such-program-anywhere"}));
  EXPECT_EQ(nowhere.code, 127);
  EXPECT_EQ(nowhere.error,
            "fairlead run: cannot start 'no-such-program-anywhere': No such file or directory "
            "(ENOENT)\n");
  const ScratchDirectory scratch;
  const std::string file = scratch.write("not-executable", "#!/bin/sh\n");
  EXPECT_EQ(run_to_end(command({file})).code, 126);
  EXPECT_EQ(run_to_end(command({scratch.path()})).code, 126);
}

TEST_F(Run, its_own_failures_are_125) {
  const Ended gone = run_to_end(
      fairlead({"run", "--principal", "a", "--socket", broker_.socket() + ".not", "--", "true"}));
  EXPECT_EQ(gone.code, 125);
  EXPECT_THAT(gone.error, HasSubstr("fairlead run: "));
  for (const auto& wrong :
       std::vector<std::vector<std::string>>{{"run", "--principal", "a", "true"},
                                             {"run", "--principal", "a", "--"},
                                             {"run", "--principal", "a"},
                                             {"run", "--", "true"},
                                             {"run", "--principal", "a b", "--", "true"},
                                             {"run", "--no-such", "--", "true"}}) {
    const Ended ended = run_to_end(fairlead(wrong));
    EXPECT_EQ(ended.code, 125);
    EXPECT_THAT(ended.error, HasSubstr("(see fairlead run --help)\n"));
  }
}

TEST_F(Run, the_command_has_the_connection_and_its_keeper_and_no_other_descriptor_of_ours) {
  // Whoever started the tests may have left them descriptors, which every program here inherits.
  const std::string count = "ls /proc/self/fd | wc -l";
  const Ended without = run_to_end({"/bin/sh", "-c", count});
  const Ended ended = run_to_end(shell(count));
  ASSERT_EQ(ended.code, 0);
  EXPECT_EQ(std::stoi(ended.output), std::stoi(without.output) + 2);
}

TEST_F(Run, the_command_is_that_principal_and_no_other) {
  Program sub(command({FAIRLEAD_PROGRAM, "sub", "t", "--count", "1"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  const Ended pub = run_to_end(command({FAIRLEAD_PROGRAM, "pub", "t"}), "x");
  EXPECT_EQ(pub.code, 0) << pub.error;
  EXPECT_THAT(pub.error, HasSubstr(" as agent.x: 1 delivery: taken 1,"));
  EXPECT_EQ(sub.exit_code(), 0);
  EXPECT_EQ(sub.output(), "t agent.x x\n");
  const Ended other =
      run_to_end(command({FAIRLEAD_PROGRAM, "pub", "t", "--principal", "bob"}), "x");
  EXPECT_EQ(other.code, 1);
}

TEST_F(Run, a_policy_without_a_minter_refuses) {
  const BrokerProcess strict(
      "[[principal]]\nname = \"alice\"\nuid = \"self\"\npublish = [\"*\"]\nsubscribe = [\"*\"]\n");
  const Ended ended = run_to_end(
      fairlead({"run", "--principal", "alice", "--socket", strict.socket(), "--", "true"}));
  EXPECT_EQ(ended.code, 125);
  EXPECT_EQ(std::count(ended.error.begin(), ended.error.end(), '\n'), 1) << ended.error;
}

bool wait_until_stopped(pid_t process) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string line;
    std::getline(file, line);
    if (line.find(") T ") != std::string::npos) return true;
    std::this_thread::yield();
  }
  return false;
}

// The command says on its output that its trap is set, so no signal comes too early.
constexpr const char* kTrap =
    "trap 'echo got %; exit 9' %; echo ready; while :; do sleep 0.01; done";

std::string trap_of(const std::string& name) {
  std::string script = kTrap;
  for (std::size_t at = script.find('%'); at != std::string::npos; at = script.find('%', at)) {
    script.replace(at, 1, name);
  }
  return script;
}

TEST_F(Run, signals_are_passed_on) {
  const std::vector<std::pair<int, std::string>> signals = {{SIGTERM, "TERM"}, {SIGINT, "INT"},
                                                            {SIGHUP, "HUP"},   {SIGQUIT, "QUIT"},
                                                            {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}};
  for (const auto& [number, name] : signals) {
    Program program(shell(trap_of(name)));
    ASSERT_TRUE(program.wait_for_output("ready\n"));
    program.signal(number);
    EXPECT_EQ(program.exit_code(), 9) << name;
    EXPECT_THAT(program.output(), HasSubstr("got " + name));
  }
}

TEST_F(Run, a_command_that_is_stopped_and_goes_on_is_still_waited_for) {
  Program program(shell("echo $$; kill -STOP $$; exit 5"));
  ASSERT_TRUE(program.wait_for_output("\n"));
  const pid_t child = std::stoi(program.output());
  ASSERT_TRUE(wait_until_stopped(child));
  ASSERT_TRUE(send_signal(child, SIGCONT));
  EXPECT_EQ(program.exit_code(), 5);
}

std::size_t sockets_of(pid_t process) {
  std::size_t found = 0;
  std::error_code error;  // a descriptor may be closed while we look
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    if (std::filesystem::read_symlink(entry, error).string().find("socket:") != std::string::npos)
      ++found;
  }
  return found;
}

TEST_F(Run, the_keeper_itself_keeps_no_connection_and_one_end_of_its_link) {
  ProgramOptions open;
  open.keep_input = true;
  Program program(shell("echo ready; read line"), open);
  ASSERT_TRUE(program.wait_for_output("ready\n"));
  // It closes its ends once the command has begun, which may be after the command's first line.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (sockets_of(program.pid()) > 1 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(sockets_of(program.pid()), 1U);
  program.end_input();
  EXPECT_EQ(program.exit_code(), 1);
}

TEST_F(Run, the_keeper_connects_the_command_to_the_next_broker_as_the_same_principal) {
  Program program(command({FAIRLEAD_HELPERS_DIR "/ask_keeper"}), {.keep_input = true});
  ASSERT_TRUE(program.wait_for_output("attached\n")) << program.error();
  broker_.end_by(SIGKILL);
  program.write_input("\n");  // it asks while nobody is there
  broker_.start_again();
  EXPECT_EQ(program.exit_code(), 0) << program.error();
  EXPECT_EQ(program.output(), "attached\nback as agent.x in epoch 2\n");
}

TEST_F(Run, a_stopped_broker_delays_neither_signals_nor_the_end) {
  Program program(command({FAIRLEAD_HELPERS_DIR "/ask_keeper"}), {.keep_input = true});
  ASSERT_TRUE(program.wait_for_output("attached\n")) << program.error();
  broker_.program().signal(SIGSTOP);
  program.write_input("\n");
  program.signal(SIGTERM);
  EXPECT_EQ(program.exit_code(), 128 + SIGTERM);
  broker_.program().signal(SIGCONT);
}

TEST_F(Run, a_command_that_floods_its_keeper_loses_it_and_goes_on) {
  Program program(command({FAIRLEAD_HELPERS_DIR "/ask_keeper", "flood"}), {.keep_input = true});
  EXPECT_TRUE(program.wait_for_output("lost my keeper\n"));
  EXPECT_EQ(sockets_of(program.pid()), 0U);
  program.end_input();
  EXPECT_EQ(program.exit_code(), 0);
}

TEST_F(Run, another_runs_keeper_is_not_passed_on) {
  const Ended ended = run_to_end(shell("echo $FAIRLEAD_KEEPER_FD"), {},
                                 {.environment = {"FAIRLEAD_KEEPER_FD=777"}});
  EXPECT_NE(ended.output, "777\n");
  EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1);
}

}  // namespace
}  // namespace fairlead::test
