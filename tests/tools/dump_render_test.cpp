// The two forms of a dump, word for word.
#include <unistd.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include <nlohmann/json.hpp>

#include "dump/render_json.hpp"
#include "dump/render_text.hpp"
#include "segment_builder.hpp"
#include "segment_directory.hpp"

namespace fairlead::tools::dump {
namespace {

using test::RouteBuilder;
using test::SegmentDirectory;
using test::TableBuilder;
using testing::HasSubstr;
using testing::Not;

// Two lanes with evictions, refusals and held messages, and an outbox.
class DumpRender : public testing::Test {
 protected:
  DumpRender() : route_(spec()) {
    const std::string payload(90, 'x');
    for (std::uint64_t each = 0; each < 12; ++each) {
      route_.publish("agent.scout", payload, 90'000'000'000 - each);
    }
    route_.take(200).publish("", "short", 1'500'000).publish("", std::string(3'000, 'x'));
    const std::string receipts = test::file_name_of({}, shm::SegmentKind::receipt, 5);
    table_.add(route_, false, 17).add_outbox(5, "bob", receipts);
    table_.entry(0).guest = 12;
    table_.entry(0).claimed_epoch = 3;
    table_.entry(0).payer.assign("carol");
    directory_.write(receipts, test::receipt_bytes({}, 5, 12));
    directory_.write(table_.file_name(), table_.bytes());
    directory_.write(route_.file_name(), route_.bytes());
  }
  static test::RouteSpec spec() {
    test::RouteSpec spec;
    spec.budget_bytes = 1'000;
    spec.eviction = shm::EvictionPolicy::fair_share;
    return spec;
  }
  [[nodiscard]] MachineDump dump() const {
    MachineDump machine = directory_.dump();
    machine.directory = "/dev/shm";
    return machine;
  }

  RouteBuilder route_;
  TableBuilder table_;
  SegmentDirectory directory_;
};

// uid 0 in the expected texts stands for whoever runs the test.
std::string with_own_user(std::string text) {
  const std::string own = "uid " + std::to_string(::geteuid());
  for (std::size_t at = text.find("uid 0"); at != std::string::npos; at = text.find("uid 0", at)) {
    text.replace(at, 5, own);
    at += own.size();
  }
  return text;
}

TEST_F(DumpRender, text_is_as_it_should_be) {
  EXPECT_EQ(render_text(dump(), {}),
            with_own_user(R"(broker gold: dead, process 4242, epoch 3, uid 0
  table      fairlead.gold.table, 5.9 KiB of 1.0 MiB
             2 live entries, socket /run/gold.sock
  waits      for the next broker of its name, under which guests have 30 s at most to come back

  route 7  agent.v1.*  of alice
    segment    fairlead.gold.3.route.7.000000000000000a, 80 KiB of 272 KiB
    guest      uid 1000, process 4300, capsule 00010203-0405-0607-0809-0a0b0c0d0e0f
    entry      guest 12, charged to carol, has epoch 3
    boundary   cooperative
    state      open, admits all, gate open from message 17, policy fair-share
    queued     9 messages, 815 B of a budget of 1000 B; at most 10, 1000 B
    memory     12 KiB used, 512 B of it held (2 messages), 244 KiB free of 256 KiB
    messages   published 13 = delivered 2 + queued 9 + evicted 2  holds
    bytes      published 1215 = delivered 200 + queued 815 + evicted 200  holds
    lost       2 messages, 200 B
    refused    1: larger-than-budget 1
    lanes      2 in use, at most 2 of 256
    principal    depth  bytes  head age  published  lost  refused  most  most bytes
    agent.scout      8  800 B   1.5 min         12     2        0    10      1000 B
    system           1   15 B    1.5 ms          1     0        1     1        15 B

  outbox 5  of bob
    receipts   fairlead.gold.3.receipt.5.000000000000000a, 128 KiB
    accepted   12 messages, 1.5 KiB of ring space; ring of 64 KiB

)"));
}

TEST_F(DumpRender, text_fits_into_100_columns) {
  std::istringstream lines(render_text(dump(), {}));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST_F(DumpRender, colours_only_where_they_are_wanted) {
  EXPECT_THAT(render_text(dump(), {}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(render_text(dump(), {.paint = Paint(true)}), HasSubstr("\x1b[32mholds\x1b[0m"));
}

TEST_F(DumpRender, the_fullest_lanes_are_shown_when_there_are_too_many) {
  const std::string text = render_text(dump(), {.paint = Paint(false), .most_lanes = 1});
  EXPECT_THAT(text, HasSubstr("and 1 lanes more"));
  EXPECT_THAT(text, HasSubstr("    agent.scout "));
  EXPECT_THAT(text, Not(HasSubstr("    system ")));
}

TEST_F(DumpRender, R30_a_sum_that_does_not_hold_cries_out) {
  MachineDump machine = dump();
  auto& route = std::get<RouteDump>(machine.brokers[0].segments[0].content);
  route.messages.holds = false;
  EXPECT_THAT(render_text(machine, {}), HasSubstr("evicted 2  DOES NOT HOLD\n"));
  EXPECT_THAT(render_text(machine, {}), HasSubstr("\n1 problem in /dev/shm\n"));
  EXPECT_EQ(nlohmann::json::parse(render_json(machine))["problems"], 1);
}

TEST_F(DumpRender, R34_a_guest_that_is_away_and_what_waits_for_it_is_told) {
  MachineDump machine = dump();
  BrokerDump& broker = machine.brokers[0];
  auto& route = std::get<RouteDump>(broker.segments[0].content);
  EXPECT_THAT(render_text(machine, {}), Not(HasSubstr("away")));
  EXPECT_THAT(render_text(machine, {}), Not(HasSubstr("    restart")));
  broker.table->entries[0].interim = true;
  route.carried_pushes = 3;
  route.duplicates_dropped = 2;
  const std::string text = render_text(machine, {});
  EXPECT_THAT(text, HasSubstr("\n    away       its guest is away: 9 messages wait for it here\n"));
  EXPECT_THAT(text,
              HasSubstr("\n    restart    last messages of 3 outboxes known from before, 2 sent "
                        "again and dropped\n"));
  const auto json = nlohmann::json::parse(render_json(machine));
  const auto& segment = json["brokers"][0]["segments"][0];
  EXPECT_EQ(segment["table_entry"]["guest_away"], true);
  EXPECT_EQ(segment["table_entry"]["guest"], 12);
  EXPECT_EQ(segment["table_entry"]["payer"], "carol");
  EXPECT_EQ(segment["table_entry"]["claimed_epoch"], 3);
  EXPECT_EQ(segment["route"]["carried_pushes"], 3);
  EXPECT_EQ(segment["route"]["duplicates_dropped"], 2);
}

TEST_F(DumpRender, R34_the_epoch_that_a_guest_drains_first_is_no_leftover) {
  MachineDump machine = dump();
  BrokerDump& broker = machine.brokers[0];
  SegmentDump before = broker.segments[0];
  before.epoch = 2;
  before.entry.reset();
  broker.segments.insert(broker.segments.begin(), before);
  EXPECT_THAT(render_text(machine, {}), HasSubstr("(of epoch 2: its guest drains it first)"));
  std::get<RouteDump>(broker.segments[0].content).identity.subscription = 99;
  EXPECT_THAT(render_text(machine, {}), HasSubstr("(left by epoch 2)"));
}

TEST_F(DumpRender, nothing_out_of_a_segment_reaches_the_terminal_as_it_is) {
  MachineDump machine = dump();
  machine.brokers[0].table->socket_path = "/run/\x1b]0;owned\x07";
  machine.brokers[0].segments[0].problems = {"\x1b[2J"};
  machine.brokers[0].segments[0].verdict = Verdict::corrupt;
  machine.strays.push_back({"fairlead.\x1b[31m", "no"});
  const std::string text = render_text(machine, {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("\\x1b]0;owned\\x07"));
  const std::string json = render_json(machine);
  EXPECT_THAT(json, Not(HasSubstr("\x1b")));
  EXPECT_EQ(nlohmann::json::parse(json)["strays"][0]["file"], "fairlead.\x1b[31m");
}

TEST_F(DumpRender, json_has_every_number) {
  const auto json = nlohmann::json::parse(render_json(dump()));
  EXPECT_EQ(json["format"], 1);
  EXPECT_EQ(json["taken"], "2023-11-14T22:23:20.000000Z");
  EXPECT_EQ(json["problems"], 0);
  const auto& broker = json["brokers"][0];
  EXPECT_EQ(broker["name"], "gold");
  EXPECT_EQ(broker["state"], "dead");
  EXPECT_EQ(broker["socket"], "/run/gold.sock");
  EXPECT_EQ(broker["table"]["live_entries"], 2);
  const auto& segment = broker["segments"][0];
  EXPECT_EQ(segment["verdict"], "ok");
  EXPECT_EQ(segment["table_entry"]["gate"], 17);
  const auto& route = segment["route"];
  EXPECT_EQ(route["pattern"], "agent.v1.*");
  EXPECT_EQ(route["policy"], "fair-share");
  EXPECT_EQ(route["boundary"], "cooperative");
  EXPECT_EQ(route["messages"],
            nlohmann::json::parse(R"({"published": 13, "delivered": 2, "queued": 9, "evicted": 2,
                                      "known": true, "holds": true})"));
  EXPECT_EQ(route["refused"], nlohmann::json::parse(R"({"total": 1, "larger-than-budget": 1})"));
  ASSERT_EQ(route["lanes"].size(), 2U);
  EXPECT_EQ(route["lanes"][1]["principal"], "system");
  EXPECT_EQ(route["lanes"][1]["head_age_ns"], 1'500'000);
  EXPECT_EQ(broker["segments"][1]["receipt"]["accepted_messages"], 12);
}

TEST(DumpRenderEmpty, says_that_there_is_nothing) {
  MachineDump machine;
  machine.directory = "/dev/shm";
  EXPECT_EQ(render_text(machine, {}), "no broker has a segment in /dev/shm\n");
  EXPECT_EQ(nlohmann::json::parse(render_json(machine))["brokers"].size(), 0U);
}

}  // namespace
}  // namespace fairlead::tools::dump
