// `fairlead dump` on a broker that is a process: alive, stopped in its tracks, killed.
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;

class DumpCommand : public testing::Test {
 protected:
  DumpCommand() : sub_(fairlead({"sub", "t", "--budget", "4K", "--socket", broker_.socket()})) {
    EXPECT_TRUE(sub_.wait_for_error("subscribed to t"));
    sub_.signal(SIGSTOP);
    EXPECT_EQ(run_to_end(fairlead({"pub", "t", "--lines", "--principal", "bob", "--socket",
                                   broker_.socket()}),
                         "one\ntwo\nthree\n")
                  .code,
              0);
  }
  [[nodiscard]] Ended dump(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"dump", "--broker", broker_.name()});
    return run_to_end(fairlead(std::move(arguments)));
  }
  [[nodiscard]] nlohmann::json json() const {
    return nlohmann::json::parse(dump({"--json"}).output)["brokers"][0];
  }
  static const nlohmann::json& route_of(const nlohmann::json& broker) {
    for (const auto& segment : broker["segments"]) {
      if (segment["kind"] == "route") return segment["route"];
    }
    throw std::logic_error("no route");
  }

  BrokerProcess broker_;
  Program sub_;
};

TEST_F(DumpCommand, shows_a_live_broker) {
  const auto broker = json();
  EXPECT_EQ(broker["state"], "running");
  EXPECT_EQ(broker["process"], broker_.program().pid());
  EXPECT_EQ(broker["socket"], broker_.socket());
  const auto& route = route_of(broker);
  EXPECT_EQ(route["messages"]["queued"], 3);
  EXPECT_TRUE(route["messages"]["holds"]);
  EXPECT_EQ(route["lanes"][0]["principal"], "bob");
  EXPECT_EQ(route["guest_process"], sub_.pid());
  EXPECT_GT(route["memory"]["used_bytes"], 0) << "it holds the chunk that the messages are in";
  const Ended text = dump();
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.error, "");
  EXPECT_THAT(text.output, HasSubstr("broker " + broker_.name() + ": running, process "));
  EXPECT_THAT(text.output, HasSubstr("published 3 = delivered 0 + queued 3 + evicted 0  holds\n"));
}

TEST_F(DumpCommand, shows_a_broker_that_is_stopped_without_waiting_for_it) {
  broker_.program().signal(SIGSTOP);
  EXPECT_EQ(route_of(json())["messages"]["queued"], 3);
  broker_.program().signal(SIGCONT);
}

TEST_F(DumpCommand, shows_what_a_killed_broker_left) {
  broker_.program().signal(SIGKILL);
  EXPECT_EQ(broker_.program().exit_code(), 128 + SIGKILL);
  const auto broker = json();
  EXPECT_EQ(broker["state"], "dead");
  EXPECT_EQ(route_of(broker)["messages"]["queued"], 3);
  EXPECT_EQ(dump().code, 0);
}

TEST_F(DumpCommand, changes_nothing_and_leaves_nothing) {
  // The outbox of the publisher that has ended goes when the broker finds that out.
  const auto segments = [this] {
    auto files = broker_.segments();
    std::erase_if(files, [](const auto& file) { return file.find(".receipt.") != file.npos; });
    return files;
  };
  const auto before = segments();
  EXPECT_EQ(before.size(), 2U);
  EXPECT_EQ(dump().code, 0);
  EXPECT_EQ(segments(), before);
}

TEST_F(DumpCommand, limits_the_lanes_on_demand) {
  EXPECT_EQ(run_to_end(fairlead({"pub", "t", "--socket", broker_.socket()}), "x").code, 0);
  EXPECT_THAT(dump({"--lanes", "1"}).output, HasSubstr("and 1 lanes more\n"));
}

TEST(DumpCommandLine, a_directory_that_is_not_there_is_one_line) {
  const Ended ended = run_to_end(fairlead({"dump", "--directory", "/no/such"}));
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.error,
            "fairlead dump: cannot look into /no/such: No such file or directory (ENOENT)\n");
}

TEST_F(DumpCommand, a_broker_that_is_not_there_is_an_error_also_when_others_are) {
  for (const char* format : {"--lanes=1", "--json"}) {
    const Ended ended = run_to_end(fairlead({"dump", "--broker", broker_.name() + "x", format}));
    EXPECT_EQ(ended.code, 1);
    EXPECT_EQ(ended.output, "");
    EXPECT_EQ(ended.error,
              "fairlead dump: no broker named " + broker_.name() + "x has a segment in /dev/shm\n");
  }
}

TEST(DumpCommandLine, a_problem_shows_in_the_exit_code) {
  const ScratchDirectory scratch;
  EXPECT_EQ(run_to_end(fairlead({"dump", "--directory", scratch.path()})).code, 0);
  scratch.write("fairlead.gold.table", "nonsense");
  const Ended ended = run_to_end(fairlead({"dump", "--directory", scratch.path()}));
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.output, HasSubstr("1 problem in " + scratch.path()));
}

TEST(DumpCommandLine, a_reader_that_has_seen_enough_is_no_error) {
  Program program(fairlead({"dump"}));
  program.close_output();
  EXPECT_EQ(program.exit_code() & ~3, 0);
  EXPECT_EQ(program.error(), "");
}

}  // namespace
}  // namespace fairlead::test
