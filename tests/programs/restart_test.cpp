// R34: programs go on at the next broker, whether the last one was killed or handed over, however
// they got their connection. Streams arrive byte for byte.
#include <signal.h>

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;

constexpr const char* kStreamed = "/usr/share/common-licenses/GPL-3";  // 5,644 tokens

std::string whole_text() {
  std::ifstream file(kStreamed);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

enum class Connected { by_path, by_run, by_sandbox };

class Restart : public testing::Test {
 protected:
  void SetUp() override {
    if (FAIRLEAD_SANITIZED != 0) rate_ = "2000";
  }

  [[nodiscard]] std::vector<std::string> command(Connected how,
                                                 std::vector<std::string> words) const {
    if (how == Connected::by_path) {
      words.insert(words.end(), {"--socket", broker_.socket(), "--principal", "agent.x"});
      return fairlead(words);
    }
    std::vector<std::string> all = {"run", "--socket", broker_.socket(), "--principal", "agent.x"};
    if (how == Connected::by_sandbox) all.emplace_back("--sandbox");
    all.insert(all.end(), {"--", FAIRLEAD_PROGRAM});
    all.insert(all.end(), words.begin(), words.end());
    return fairlead(all);
  }

  static bool possible(Connected how) {
    return how != Connected::by_sandbox ||
           (FAIRLEAD_SANITIZED == 0 &&
            run_to_end({"/bin/sh", "-c", "bwrap --unshare-all --ro-bind / / true"}).code == 0);
  }

  // A text is streamed, and the broker ends by that signal in the middle, so many times.
  void expect_to_go_on(Connected how, int signal, int times = 1) {
    if (!possible(how)) GTEST_SKIP() << "no sandbox here";
    const std::string text = whole_text();
    Program sub(command(how, {"sub", "t", "--raw", "--count", "5644"}));
    ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
    Program pub(command(how, {"pub", "t", "--tokens", "--rate", rate_}), {.keep_input = true});
    pub.write_input(text);
    pub.end_input();
    for (int each = 1; each <= times; ++each) {
      const std::size_t part = text.size() * static_cast<std::size_t>(each) / 10;
      ASSERT_TRUE(sub.wait_for_output(text.substr(0, part))) << sub.error() << pub.error();
      broker_.end_by(signal);
      broker_.start_again();
    }
    EXPECT_EQ(pub.exit_code(), 0) << pub.error();
    EXPECT_EQ(sub.exit_code(), 0) << sub.error();
    EXPECT_EQ(sub.output(), text);
    EXPECT_THAT(sub.error(), HasSubstr("5644 messages (35149 bytes), 0 lost"));
    EXPECT_THAT(pub.error(), HasSubstr("the broker is back, in epoch "));
    EXPECT_THAT(pub.error(), HasSubstr("5644 deliveries: taken 5644"));
  }

  std::string rate_ = "8000";
  BrokerProcess broker_{{}, {"--hand-over"}};
};

TEST_F(Restart, R34_sub_and_pub_go_on_after_a_kill) {
  expect_to_go_on(Connected::by_path, SIGKILL);
}
TEST_F(Restart, R34_sub_and_pub_go_on_after_a_hand_over) {
  expect_to_go_on(Connected::by_path, SIGTERM);
}
TEST_F(Restart, R34_in_run_they_go_on_after_a_kill) { expect_to_go_on(Connected::by_run, SIGKILL); }
TEST_F(Restart, R34_in_run_they_go_on_after_a_hand_over) {
  expect_to_go_on(Connected::by_run, SIGTERM);
}
TEST_F(Restart, R34_in_the_sandbox_they_go_on_after_a_kill) {
  expect_to_go_on(Connected::by_sandbox, SIGKILL);
}
TEST_F(Restart, R34_in_the_sandbox_they_go_on_after_a_hand_over) {
  expect_to_go_on(Connected::by_sandbox, SIGTERM);
}
TEST_F(Restart, R34_in_the_sandbox_they_go_on_after_four_kills) {
  expect_to_go_on(Connected::by_sandbox, SIGKILL, 4);
}

TEST_F(Restart, R34_idle_programs_come_back_before_they_have_something_to_do) {
  Program pub(command(Connected::by_path, {"pub", "t", "--lines"}), {.keep_input = true});
  Program sub(command(Connected::by_path, {"sub", "t", "--raw", "--count", "2"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  pub.write_input("a\n");
  ASSERT_TRUE(sub.wait_for_output("a"));
  broker_.end_by(SIGKILL);
  EXPECT_TRUE(pub.wait_for_error("the broker is away; looking for it for 30 s\n"));
  EXPECT_TRUE(sub.wait_for_error("the broker is away; looking for it for 30 s\n"));
  broker_.start_again();
  EXPECT_TRUE(pub.wait_for_error("fairlead pub: the broker is back, in epoch 2\n"));
  EXPECT_TRUE(sub.wait_for_error("fairlead sub: the broker is back, in epoch 2\n"));
  pub.write_input("b\n");
  EXPECT_EQ(sub.exit_code(), 0) << sub.error();
  EXPECT_EQ(sub.output(), "ab");
}

TEST_F(Restart, R34_dump_shows_a_guest_that_is_away_and_what_waits_for_it) {
  Program sub(command(Connected::by_path, {"sub", "t", "--raw", "--count", "2"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  sub.signal(SIGSTOP);
  broker_.end_by(SIGTERM);
  const Ended left = run_to_end(fairlead({"dump", "--broker", broker_.name()}));
  EXPECT_THAT(left.output, HasSubstr(": handed over, process ")) << left.error;
  EXPECT_THAT(left.output, HasSubstr("under which guests have 30 s at most to come back"))
      << left.error;
  broker_.start_again();
  EXPECT_EQ(
      run_to_end(fairlead({"pub", "t", "--lines", "--socket", broker_.socket()}), "x\ny\n").code,
      0);
  const Ended away = run_to_end(fairlead({"dump", "--broker", broker_.name()}));
  EXPECT_THAT(away.output, HasSubstr("its guest is away: 2 messages wait for it here"));
  sub.signal(SIGCONT);
  EXPECT_EQ(sub.exit_code(), 0) << sub.error();
  EXPECT_EQ(sub.output(), "xy");
}

TEST_F(Restart, R34_in_run_who_says_hello_after_the_broker_died_gets_to_the_next_one) {
  const std::string script = "echo started >&2; read go; exec \"$0\" sub t --raw --count 1";
  Program sub(fairlead({"run", "--socket", broker_.socket(), "--principal", "agent.x", "--",
                        "/bin/sh", "-c", script, FAIRLEAD_PROGRAM}),
              {.keep_input = true});
  ASSERT_TRUE(sub.wait_for_error("started")) << sub.error();
  broker_.end_by(SIGKILL);
  broker_.start_again();
  sub.write_input("go\n");
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  EXPECT_EQ(run_to_end(fairlead({"pub", "t", "--socket", broker_.socket()}), "x").code, 0);
  EXPECT_EQ(sub.exit_code(), 0) << sub.error();
  EXPECT_EQ(sub.output(), "x");
}

TEST_F(Restart, dump_in_another_pid_namespace_sees_that_the_broker_lives) {
  const std::string enter = "unshare --pid --fork --mount-proc ";
  if (run_to_end({"/bin/sh", "-c", enter + "true"}).code != 0) GTEST_SKIP() << "no namespace";
  const Ended dump = run_to_end(
      {"/bin/sh", "-c", enter + '"' + FAIRLEAD_PROGRAM + "\" dump --broker " + broker_.name()});
  EXPECT_THAT(dump.output, HasSubstr(": running, process ")) << dump.error;
  EXPECT_THAT(dump.output, HasSubstr(" of another PID namespace, epoch 1"));
}

TEST_F(Restart, without_resume_the_end_of_the_broker_is_the_end) {
  Program pub(command(Connected::by_path, {"pub", "t", "--lines", "--resume", "0"}),
              {.keep_input = true});
  Program sub(command(Connected::by_path, {"sub", "t", "--lines", "--resume", "0"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  pub.write_input("x\n");
  ASSERT_TRUE(sub.wait_for_output("x\n"));
  broker_.end_by(SIGKILL);
  EXPECT_EQ(pub.exit_code(), 1);
  EXPECT_EQ(sub.exit_code(), 1);
  EXPECT_EQ(pub.error(), "fairlead pub: the broker is gone; what it had not taken is lost\n");
  EXPECT_THAT(sub.error(), HasSubstr("fairlead sub: 1 message (1 byte), 0 lost\n"
                                     "fairlead sub: the broker is gone\n"));
}

TEST_F(Restart, a_broker_that_does_not_come_back_in_time_is_given_up) {
  Program pub(command(Connected::by_path, {"pub", "t", "--lines", "--resume", "0.5"}),
              {.keep_input = true});
  Program sub(command(Connected::by_run, {"sub", "t", "--lines", "--resume", "0.5"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  pub.write_input("x\n");
  ASSERT_TRUE(sub.wait_for_output("x\n"));
  broker_.end_by(SIGKILL);
  for (Program* program : {&pub, &sub}) {
    EXPECT_EQ(program->exit_code(), 1);
    EXPECT_THAT(program->error(), HasSubstr(": the broker is away; looking for it for 500 ms\n"));
    EXPECT_THAT(program->error(), HasSubstr(": the broker is gone"));
  }
}

TEST_F(Restart, quiet_is_quiet_about_it) {
  Program sub(command(Connected::by_path, {"sub", "t", "-q", "--resume", "0.1"}));
  // The table, and then its route.
  while (broker_.segments().size() < 2) ASSERT_TRUE(sub.signal(0));
  EXPECT_EQ(run_to_end(fairlead({"pub", "t", "--socket", broker_.socket()}), "x").code, 0);
  ASSERT_TRUE(sub.wait_for_output("x"));
  broker_.end_by(SIGKILL);
  EXPECT_EQ(sub.exit_code(), 1);
  EXPECT_EQ(sub.error(), "fairlead sub: the broker is gone\n");
}

TEST_F(Restart, an_interrupt_ends_the_broker_for_good) {
  Program sub(command(Connected::by_path, {"sub", "t"}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  broker_.end_by(SIGINT);
  EXPECT_EQ(sub.exit_code(), 1);
  EXPECT_TRUE(broker_.segments().empty());
}

}  // namespace
}  // namespace fairlead::test
