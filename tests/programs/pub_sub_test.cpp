// `fairlead pub` and `fairlead sub` through a broker that is a process of its own.
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kText = "/usr/share/common-licenses/GPL-3";

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class PubSub : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--socket", broker_.socket()});
    return fairlead(std::move(arguments));
  }
  /// A `fairlead sub` that has subscribed.
  [[nodiscard]] std::unique_ptr<Program> subscriber(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "sub");
    auto program = std::make_unique<Program>(command(std::move(arguments)));
    EXPECT_TRUE(program->wait_for_error("subscribed to ")) << program->error();
    return program;
  }
  [[nodiscard]] Ended publish(std::vector<std::string> arguments,
                              const std::string& input = {}) const {
    arguments.insert(arguments.begin(), "pub");
    return run_to_end(command(std::move(arguments)), input);
  }

  BrokerProcess broker_;
};

TEST_F(PubSub, tokens_of_a_real_text_arrive_as_the_text_byte_for_byte) {
  const auto sub = subscriber({"demo.*", "--raw", "--count", "5644"});
  const Ended pub = publish({"demo.text", "--tokens", kText});
  EXPECT_EQ(pub.code, 0) << pub.error;
  EXPECT_THAT(pub.error, HasSubstr("5644 messages (35149 bytes) as system: 5644 deliveries: taken "
                                   "5644, evicted 0, refused 0\n"));
  EXPECT_EQ(sub->exit_code(), 0);
  EXPECT_EQ(sub->output(), content_of(kText));
  EXPECT_THAT(sub->error(), HasSubstr("5644 messages (35149 bytes), 0 lost"));
}

TEST_F(PubSub, a_file_is_one_message_also_when_it_is_larger_than_the_usual_outbox) {
  const std::string text(3'000'000, 'x');
  const auto sub = subscriber({"t", "--raw", "--count", "1", "--budget", "4M"});
  const Ended pub = publish({"t", "-"}, text);
  EXPECT_EQ(pub.code, 0) << pub.error;
  EXPECT_EQ(sub->exit_code(), 0);
  EXPECT_TRUE(sub->output() == text);
}

TEST_F(PubSub, lines_go_in_and_come_out_as_lines) {
  const auto sub = subscriber({"t", "--lines", "--count", "3"});
  EXPECT_EQ(publish({"t", "--lines"}, "one\n\nthree").code, 0);
  EXPECT_EQ(sub->exit_code(), 0);
  EXPECT_EQ(sub->output(), "one\n\nthree\n");
}

TEST_F(PubSub, lines_are_published_as_they_come) {
  const auto sub = subscriber({"t", "--lines", "--count", "2"});
  ProgramOptions open;
  open.keep_input = true;
  Program pub(command({"pub", "t", "--lines"}), open);
  pub.write_input("first\n");
  EXPECT_TRUE(sub->wait_for_output("first\n"));
  pub.write_input("second\n");
  EXPECT_TRUE(sub->wait_for_output("second\n"));
  pub.end_input();
  EXPECT_EQ(pub.exit_code(), 0);
}

TEST_F(PubSub, text_has_topic_principal_and_payload_on_one_line) {
  const auto sub = subscriber({"t.*", "--count", "2"});
  EXPECT_EQ(publish({"t.a", "--principal", "agent.scout"}, "two\nlines\x1b[m").code, 0);
  EXPECT_EQ(publish({"t.b"}, "gr\xc3\xbcn").code, 0);
  EXPECT_EQ(sub->exit_code(), 0);
  EXPECT_EQ(sub->output(), "t.a agent.scout two\\nlines\\x1b[m\nt.b system gr\xc3\xbcn\n");
}

TEST_F(PubSub, json_lines_tell_everything) {
  const auto sub = subscriber({"*", "--json", "--count", "2"});
  EXPECT_EQ(publish({"t.a", "--principal", "alice"}, "text \xe2\x82\xac").code, 0);
  EXPECT_EQ(publish({"t.b"}, std::string("\0\xff", 2)).code, 0);
  EXPECT_EQ(sub->exit_code(), 0);
  std::istringstream lines(sub->output());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  EXPECT_EQ(first["type"], "message");
  EXPECT_EQ(first["topic"], "t.a");
  EXPECT_EQ(first["principal"], "alice");
  EXPECT_EQ(first["encoding"], "text");
  EXPECT_EQ(first["payload"], "text \xe2\x82\xac");
  EXPECT_EQ(first["lost_messages"], 0);
  EXPECT_EQ(first["publish_number"], 1);
  EXPECT_THAT(first["published"].get<std::string>(), testing::MatchesRegex("20..-.*Z"));
  ASSERT_TRUE(std::getline(lines, line));
  const auto second = nlohmann::json::parse(line);
  EXPECT_EQ(second["encoding"], "base64");
  EXPECT_EQ(second["payload"], "AP8=");
  EXPECT_GT(second["sequence"], first["sequence"]);
}

TEST_F(PubSub, R29_losses_are_told_on_standard_error_and_in_json) {
  for (const bool json : {false, true}) {
    std::vector<std::string> arguments = {"t", "--budget", "4K", "--count", "1"};
    if (json) arguments.emplace_back("--json");
    const auto sub = subscriber(arguments);
    sub->signal(SIGSTOP);
    const Ended pub =
        publish({"t", "--lines"}, std::string(3'000, 'a') + "\n" + std::string(3'000, 'b') + "\n");
    EXPECT_EQ(pub.code, 0);
    EXPECT_THAT(pub.error, HasSubstr("2 deliveries: taken 2, evicted 1, refused 0"));
    sub->signal(SIGCONT);
    EXPECT_EQ(sub->exit_code(), 0);
    if (json) {
      const auto line = nlohmann::json::parse(sub->output());
      EXPECT_EQ(line["lost_messages"], 1);
      EXPECT_EQ(line["lost_bytes"], 3'001);
    } else {
      EXPECT_THAT(sub->error(), HasSubstr("1 message (3001 bytes) of system lost before sequence"));
    }
    EXPECT_THAT(sub->error(), HasSubstr("1 message (3000 bytes), 1 lost"));
  }
}

TEST_F(PubSub, R12_admission_keeps_others_out) {
  const auto sub = subscriber({"t", "--admission", "exactly:alice", "--count", "1", "--lines"});
  const Ended bob = publish({"t", "--principal", "bob"}, "b");
  EXPECT_EQ(bob.code, 0);
  EXPECT_THAT(bob.error, HasSubstr("as bob: no route matched"));
  EXPECT_EQ(publish({"t", "--principal", "alice"}, "a").code, 0);
  EXPECT_EQ(sub->exit_code(), 0);
  EXPECT_EQ(sub->output(), "a\n");
}

TEST_F(PubSub, R21_a_full_route_refuses_or_holds_back_as_the_publisher_asks) {
  const auto sub =
      subscriber({"t", "--policy", "reject", "--budget", "4K", "--count", "2", "--lines"});
  sub->signal(SIGSTOP);
  const ScratchDirectory scratch;
  const std::string file = scratch.write("payload", std::string(3'000, 'x'));
  EXPECT_EQ(publish({"t", file}).code, 0);
  const Ended refused = publish({"t", file});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.error, HasSubstr("refused 1; full: 1 message\n"));
  Program held(command({"pub", "t", "--block", "60", file}));
  sub->signal(SIGCONT);
  EXPECT_EQ(held.exit_code(), 0) << held.error();
  EXPECT_EQ(sub->exit_code(), 0);
}

TEST_F(PubSub, sub_ends_by_SIGINT_and_SIGTERM_in_good_order) {
  for (const int number : {SIGINT, SIGTERM}) {
    const auto sub = subscriber({"t", "--lines"});
    EXPECT_EQ(publish({"t"}, "x").code, 0);
    EXPECT_TRUE(sub->wait_for_output("x\n"));
    sub->signal(number);
    EXPECT_EQ(sub->exit_code(), 0);
    EXPECT_THAT(sub->error(), HasSubstr("1 message (1 byte), 0 lost"));
  }
}

TEST_F(PubSub, sub_that_ends_before_its_count_says_so_by_its_code) {
  const auto interrupted = subscriber({"t", "--count", "2"});
  interrupted->signal(SIGINT);
  EXPECT_EQ(interrupted->exit_code(), 3);
  EXPECT_EQ(subscriber({"t", "--count", "2", "--timeout", "0.01"})->exit_code(), 3);
  EXPECT_EQ(subscriber({"t", "--timeout", "0.01"})->exit_code(), 0);
}

TEST_F(PubSub, sub_ends_quietly_when_nobody_reads_it_any_more) {
  const auto idle = subscriber({"t"});
  idle->close_output();
  EXPECT_EQ(idle->exit_code(), 0);
  const auto busy = subscriber({"t", "--raw"});
  busy->signal(SIGSTOP);
  EXPECT_EQ(publish({"t"}, "x").code, 0);
  busy->close_output();
  busy->signal(SIGCONT);
  EXPECT_EQ(busy->exit_code(), 0);
  EXPECT_EQ(std::count(busy->error().begin(), busy->error().end(), '\n'), 2) << busy->error();
}

TEST_F(PubSub, sub_says_when_the_broker_has_gone) {
  const auto sub = subscriber({"t"});
  EXPECT_EQ(publish({"t"}, "x").code, 0);
  EXPECT_TRUE(sub->wait_for_output("t system x\n"));
  broker_.program().signal(SIGTERM);
  EXPECT_EQ(sub->exit_code(), 1);
  EXPECT_THAT(sub->error(), HasSubstr("\nfairlead sub: 1 message (1 byte), 0 lost\n"
                                      "fairlead sub: the broker "));
}

TEST_F(PubSub, pub_that_is_interrupted_tells_what_it_did) {
  ProgramOptions open;
  open.keep_input = true;
  Program pub(command({"pub", "t", "--lines"}), open);
  const auto sub = subscriber({"t", "--lines"});
  pub.write_input("x\n");
  EXPECT_TRUE(sub->wait_for_output("x\n"));
  pub.signal(SIGTERM);
  EXPECT_EQ(pub.exit_code(), 128 + SIGTERM);
  EXPECT_THAT(pub.error(), HasSubstr("1 message (1 byte) as system: 1 delivery: taken 1,"));
}

TEST_F(PubSub, the_rate_is_kept) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(publish({"t", "--lines", "--rate", "50"}, "1\n2\n3\n4\n5\n6\n").code, 0);
  // Five pauses of 20 ms; the first may fall short by what the start took.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(80));
}

TEST_F(PubSub, quiet_means_quiet) {
  const Ended pub = publish({"t", "-q"}, "x");
  EXPECT_EQ(pub.error, "");
  const Ended sub = run_to_end(command({"sub", "t", "--quiet", "--timeout", "0.01"}));
  EXPECT_EQ(sub.error, "");
  EXPECT_EQ(sub.code, 0);
}

TEST_F(PubSub, a_file_that_is_not_there_is_one_line) {
  const Ended pub = publish({"t", "/nonexistent"});
  EXPECT_EQ(pub.code, 1);
  EXPECT_EQ(pub.error,
            "fairlead pub: cannot read /nonexistent: No such file or directory (ENOENT)\n");
}

TEST(PubSubPolicy, what_the_policy_refuses_is_told_in_its_words) {
  const BrokerProcess broker(
      "[[principal]]\nname = \"alice\"\nuid = \"self\"\npublish = [\"a.*\"]\nsubscribe = "
      "[\"a.*\"]\n");
  const Ended pub = run_to_end(fairlead({"pub", "b.c", "--socket", broker.socket()}), "x");
  EXPECT_EQ(pub.code, 3);
  EXPECT_THAT(pub.error, HasSubstr("as alice: 0 deliveries: taken 0, evicted 0, refused 0; "
                                   "not-permitted: 1 message"));
  const Ended sub = run_to_end(fairlead({"sub", "b.*", "--socket", broker.socket()}));
  EXPECT_EQ(sub.code, 1);
  EXPECT_THAT(sub.error, StartsWith("fairlead sub: "));
  EXPECT_EQ(std::count(sub.error.begin(), sub.error.end(), '\n'), 1);
  const Ended stranger =
      run_to_end(fairlead({"sub", "a.*", "--principal", "bob", "--socket", broker.socket()}));
  EXPECT_EQ(stranger.code, 1);
  EXPECT_THAT(stranger.error, HasSubstr("bob"));
}

TEST(PubSubPolicy, the_system_principal_can_be_chosen_among_several) {
  const BrokerProcess broker(
      "[[principal]]\nname = \"system\"\nuid = \"self\"\npublish = [\"*\"]\n"
      "[[principal]]\nname = \"alice\"\nuid = \"self\"\npublish = [\"*\"]\n");
  const Ended pub =
      run_to_end(fairlead({"pub", "t", "--principal", "system", "--socket", broker.socket()}), "x");
  EXPECT_EQ(pub.code, 0) << pub.error;
  const Ended unasked = run_to_end(fairlead({"pub", "t", "--socket", broker.socket()}), "x");
  EXPECT_EQ(unasked.code, 1) << "the policy allows two";
}

TEST(PubSubPolicy, sub_says_what_a_reloaded_policy_took_its_route_for) {
  const ScratchDirectory scratch;
  const auto allowing = [&](const std::string& what) {
    return scratch.write("policy.toml", "[[principal]]\nname = \"alice\"\nuid = \"self\"\n" + what);
  };
  const BrokerProcess broker({},
                             {"--policy", allowing("subscribe = [\"*\"]\nadmission = \"all\"\n")});
  Program sub(fairlead({"sub", "a.*", "--socket", broker.socket()}));
  ASSERT_TRUE(sub.wait_for_error("subscribed to a.*")) << sub.error();
  allowing("subscribe = [\"a.*\"]\nadmission = \"own\"\n");
  broker.program().signal(SIGHUP);
  EXPECT_EQ(sub.exit_code(), 1);
  EXPECT_THAT(sub.error(),
              HasSubstr("the broker ended the route: the policy was reloaded: principal 'alice' "
                        "may not have a route that admits all principals"));
  Program narrow(fairlead({"sub", "a.*", "--socket", broker.socket()}));
  ASSERT_TRUE(narrow.wait_for_error("subscribed to a.*")) << narrow.error();
  allowing("subscribe = [\"b.*\"]\n");
  broker.program().signal(SIGHUP);
  EXPECT_EQ(narrow.exit_code(), 1);
  EXPECT_THAT(narrow.error(), HasSubstr("the policy was reloaded: principal 'alice' may not "
                                        "subscribe to 'a.*'"));
}

TEST_F(PubSub, a_budget_that_is_smaller_than_any_is_refused) {
  const Ended sub = run_to_end(command({"sub", "t", "--budget", "4095"}));
  EXPECT_EQ(sub.code, 1);
  EXPECT_EQ(
      sub.error,
      "fairlead sub: a route budget of 4095 bytes is too small: it must be at least 4096, or 0 "
      "for the policy's default\n");
}

TEST(PubSubPolicy, a_subscription_that_asks_for_nothing_gets_what_the_policy_allows) {
  const BrokerProcess broker(
      "[[principal]]\nname = \"*\"\nuid = \"self\"\npublish = [\"*\"]\nsubscribe = [\"*\"]\n"
      "admission = \"own\"\n");
  Program sub(fairlead({"sub", "t", "--lines", "--count", "1", "--principal", "alice", "--socket",
                        broker.socket()}));
  EXPECT_TRUE(sub.wait_for_error("subscribed to t")) << sub.error();
  for (const char* who : {"bob", "alice"}) {
    EXPECT_EQ(
        run_to_end(fairlead({"pub", "t", "--principal", who, "--socket", broker.socket()}), who)
            .code,
        0);
  }
  EXPECT_EQ(sub.exit_code(), 0);
  EXPECT_EQ(sub.output(), "alice\n");
}

}  // namespace
}  // namespace fairlead::test
