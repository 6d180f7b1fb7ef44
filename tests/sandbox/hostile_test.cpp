// What a hostile guest tries in the sandbox, and what comes of it. Each attempt that can succeed
// for this user at all is made outside, too, where it does.
#include <signal.h>
#include <sys/stat.h>

#include <gmock/gmock.h>

#include "sandboxed.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;

class HostileInSandbox : public Sandboxed {
 protected:
  std::string inside(std::vector<std::string> attempt,
                     std::vector<std::string> options = {}) const {
    attempt.insert(attempt.begin(), kAttempt);
    const Ended ended = run_to_end(sandboxed(std::move(attempt), std::move(options)));
    EXPECT_EQ(ended.code, 0) << ended.error;
    return ended.output;
  }
  static std::string outside(std::vector<std::string> attempt) {
    attempt.insert(attempt.begin(), kAttempt);
    return run_to_end(attempt).output;
  }
  // `refusal` inside, while it works outside.
  void expect_kept_from(const std::vector<std::string>& attempt, const std::string& refusal) const {
    EXPECT_EQ(inside(attempt), refusal + "\n") << attempt[0];
    EXPECT_EQ(outside(attempt), "succeeded\n") << attempt[0];
  }

  std::string broker_pid() { return std::to_string(broker_.program().pid()); }
  ScratchDirectory scratch_;
};

TEST_F(HostileInSandbox, files_outside_are_not_there) {
  const std::string secret = scratch_.write("secret", "x");
  expect_kept_from({"open_to_read", secret}, "ENOENT");
  expect_kept_from({"open_to_read", "/etc/passwd"}, "ENOENT");
  for (const std::string& segment : broker_.segments()) {
    expect_kept_from({"open_to_read", "/dev/shm/" + segment}, "ENOENT");
  }
  EXPECT_FALSE(broker_.segments().empty());
}

TEST_F(HostileInSandbox, the_launcher_is_there_and_cannot_be_read) {
  EXPECT_EQ(inside({"open_to_read", "/.fairlead"}), "EACCES\n");
}

TEST_F(HostileInSandbox, what_is_bound_in_can_be_read_and_not_written) {
  const std::string file = scratch_.write("data", "x");
  const std::vector<std::string> bound = {"--bind-read", scratch_.path()};
  EXPECT_EQ(inside({"open_to_read", file}, bound), "succeeded\n");
  EXPECT_EQ(inside({"open_to_write", file}, bound), "EPERM\n");
  EXPECT_EQ(inside({"truncate_by_open", file}, bound), "EPERM\n");
  EXPECT_EQ(inside({"remove_file", file}, bound), "EPERM\n");
  EXPECT_EQ(inside({"create_file", scratch_.path_of("new")}, bound), "EPERM\n");
  EXPECT_EQ(outside({"truncate_by_open", file}), "succeeded\n");
}

TEST_F(HostileInSandbox, nothing_can_be_written_anywhere) {
  for (const std::string place : {"/tmp", "/dev/shm", "/", "/usr", "/proc/self"}) {
    EXPECT_EQ(inside({"create_file", place + "/x"}), "EPERM\n") << place;
    EXPECT_EQ(inside({"make_directory", place + "/x"}), "EPERM\n") << place;
  }
  expect_kept_from({"open_to_write", "/dev/null"}, "EPERM");
}

TEST_F(HostileInSandbox, no_socket_can_be_made) {
  expect_kept_from({"unix_socket"}, "EPERM");
  expect_kept_from({"network_socket"}, "EPERM");
  expect_kept_from({"socket_pair"}, "EPERM");  // descriptors in flight count for the whole uid
}

TEST_F(HostileInSandbox, the_broker_cannot_be_signalled) {
  expect_kept_from({"signal_process", broker_pid()}, "EPERM");
  EXPECT_EQ(inside({"signal_process", "-1"}), "EPERM\n");
  EXPECT_EQ(inside({"signal_process", "1"}), "EPERM\n");
}

TEST_F(HostileInSandbox, the_broker_is_not_in_proc) {
  expect_kept_from({"see_process", broker_pid()}, "ENOENT");
}

TEST_F(HostileInSandbox, no_process_can_be_traced_or_read) {
  EXPECT_EQ(inside({"trace_process", "1"}), "EPERM\n");
  EXPECT_EQ(inside({"read_process_memory"}), "EPERM\n");
}

TEST_F(HostileInSandbox, nothing_can_be_mounted_and_no_namespace_made) {
  EXPECT_EQ(inside({"mount_something"}), "EPERM\n");
  expect_kept_from({"new_user_namespace"}, "EPERM");
}

TEST_F(HostileInSandbox, no_memory_becomes_code) {
  expect_kept_from({"make_memfd"}, "EPERM");
  expect_kept_from({"map_writable_code"}, "EPERM");
  expect_kept_from({"map_anonymous_code"}, "EPERM");
  expect_kept_from({"make_data_code"}, "EPERM");
}

TEST_F(HostileInSandbox, no_child_and_no_second_program_can_be_started) {
  expect_kept_from({"make_child"}, "EPERM");
  for (const std::string way : {"start_program", "start_program_by_descriptor"}) {
    EXPECT_EQ(inside({way}), "EPERM\n") << way;
    EXPECT_EQ(outside({way}), "") << "it became another program";
  }
}

TEST_F(HostileInSandbox, the_number_that_the_command_was_started_through_is_out_of_reach) {
  // It runs into the limit of descriptors.
  EXPECT_EQ(inside({"start_program_by_any_number"}), "EBADF\n");
  expect_kept_from({"raise_limit"}, "EPERM");
}

TEST_F(HostileInSandbox, descriptors_are_neither_cut_nor_punched_nor_typed_into) {
  EXPECT_EQ(inside({"truncate_descriptor"}), "EPERM\n");
  EXPECT_EQ(inside({"punch_hole"}), "EPERM\n");
  EXPECT_EQ(inside({"type_into_terminal"}), "EPERM\n");
  EXPECT_EQ(inside({"make_ring"}), "EPERM\n");
}

TEST_F(HostileInSandbox, a_call_of_another_architecture_kills) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "x86-64 has two";
#endif
  EXPECT_EQ(run_to_end(sandboxed({kAttempt, "call_of_32_bits"})).code, 128 + SIGSYS);
}

}  // namespace
}  // namespace fairlead::test
