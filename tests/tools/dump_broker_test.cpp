// A broker's table and its segments together: who is alive, what is missing, what was left behind.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <fairlead/shm/life_lock.hpp>

#include "dump/render_text.hpp"
#include "segment_builder.hpp"
#include "segment_directory.hpp"

namespace fairlead::tools::dump {
namespace {

using test::RouteBuilder;
using test::SegmentDirectory;
using test::TableBuilder;

class DumpBroker : public testing::Test {
 protected:
  void write(TableBuilder& table) { directory_.write(table.file_name(), table.bytes()); }
  void write(RouteBuilder& route) { directory_.write(route.file_name(), route.bytes()); }
  [[nodiscard]] BrokerDump dumped(ProcessState writer) const {
    return directory_.dump(writer).brokers.at(0);
  }

  RouteBuilder route_;
  TableBuilder table_;
  SegmentDirectory directory_;
};

TEST_F(DumpBroker, a_running_broker_is_told_from_a_dead_and_a_stopped_one) {
  write(table_);
  EXPECT_EQ(dumped(ProcessState::runs).state, BrokerState::running);
  EXPECT_EQ(dumped(ProcessState::gone).state, BrokerState::dead);
  EXPECT_EQ(dumped(ProcessState::unknown).state, BrokerState::unknown);
  table_.stop_cleanly();
  write(table_);
  EXPECT_EQ(dumped(ProcessState::gone).state, BrokerState::stopped);
  EXPECT_EQ(dumped(ProcessState::gone).process, 4242U);
  EXPECT_EQ(dumped(ProcessState::gone).epoch, 3U);
}

TEST_F(DumpBroker, one_that_handed_over_is_not_called_dead_also_while_its_host_lives) {
  table_.add(route_).hand_over();
  write(table_);
  write(route_);
  for (const ProcessState writer : {ProcessState::gone, ProcessState::runs}) {
    EXPECT_EQ(dumped(writer).state, BrokerState::handed_over);
  }
  const MachineDump machine = directory_.dump(ProcessState::gone);
  EXPECT_THAT(render_text(machine, {}), testing::HasSubstr("broker gold: handed over, process"));
  EXPECT_THAT(render_text(machine, {}),
              testing::HasSubstr("under which guests have 30 s at most to come back"));
}

TEST_F(DumpBroker, one_of_another_pid_namespace_lives_as_long_as_it_holds_the_tables_lock) {
  write(table_);
  shm::UniqueFd broker(::open(directory_.path_of(table_.file_name()).c_str(), O_RDWR | O_CLOEXEC));
  shm::hold_life_lock(broker.get());
  const BrokerDump living = dumped(ProcessState::gone);
  EXPECT_EQ(living.state, BrokerState::running);
  EXPECT_TRUE(living.elsewhere);
  EXPECT_EQ(dumped(ProcessState::unknown).state, BrokerState::running);
  EXPECT_FALSE(dumped(ProcessState::runs).elsewhere);
  broker.reset();
  EXPECT_EQ(dumped(ProcessState::gone).state, BrokerState::dead);
}

TEST_F(DumpBroker, an_entry_and_its_segment_find_each_other) {
  table_.add(route_, false, 17);
  write(table_);
  write(route_);
  const BrokerDump broker = dumped(ProcessState::gone);
  ASSERT_EQ(broker.segments.size(), 1U);
  const EntryDump* entry = broker.entry_of(broker.segments.front());
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->gate, 17U);
  EXPECT_EQ(entry->segment, route_.file_name());
}

TEST_F(DumpBroker, what_the_table_names_and_is_not_there_is_missing) {
  table_.add(route_);
  write(table_);
  for (const ProcessState writer : {ProcessState::gone, ProcessState::runs}) {
    const BrokerDump broker = dumped(writer);
    ASSERT_EQ(broker.segments.size(), 1U);
    EXPECT_EQ(test::verdict_text(broker.segments.front()),
              "missing: the table names it, but it is not there");
    EXPECT_EQ(broker.segments.front().file, route_.file_name());
  }
}

TEST_F(DumpBroker, free_entries_are_not_missed) {
  table_.add(route_);
  table_.entry(0).state = shm::TableEntryState::free;
  write(table_);
  const BrokerDump broker = dumped(ProcessState::gone);
  EXPECT_TRUE(broker.segments.empty());
  EXPECT_TRUE(broker.table->entries.empty());
}

TEST_F(DumpBroker, R34_an_entry_tells_whose_guest_is_away_and_what_it_has) {
  table_.add(route_).add_outbox(5, "bob", "");
  shm::TableEntry& entry = table_.entry(0);
  entry.state = table_.entry(1).state = shm::TableEntryState::interim;
  entry.claimed_epoch = 2;
  entry.guest = 12;
  entry.payer.assign("carol");
  write(table_);
  write(route_);
  const MachineDump machine = directory_.dump(ProcessState::runs);
  const BrokerDump& broker = machine.brokers.at(0);
  ASSERT_EQ(broker.segments.size(), 2U);
  const EntryDump* found = broker.entry_of(broker.segments[0]);
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->interim);
  EXPECT_EQ(found->claimed_epoch, 2U);
  EXPECT_EQ(found->guest, 12U);
  EXPECT_EQ(found->payer, "carol");
  EXPECT_EQ(test::verdict_text(broker.segments[1]),
            "unavailable: its guest is away; it gets another one when it comes back");
  EXPECT_EQ(machine.problems(), 0U);
}

TEST_F(DumpBroker, R34_the_route_of_an_earlier_epoch_that_goes_on_is_told_from_a_leftover) {
  test::RouteSpec old;
  old.origin.epoch = 2;
  RouteBuilder before(old);
  old.id = 99;
  RouteBuilder left(old);
  table_.add(route_);
  write(table_);
  write(route_);
  write(before);
  write(left);
  const BrokerDump broker = dumped(ProcessState::runs);
  ASSERT_EQ(broker.segments.size(), 3U);
  EXPECT_TRUE(broker.is_drained_first(broker.segments[0])) << broker.segments[0].file;
  EXPECT_FALSE(broker.is_drained_first(broker.segments[1])) << broker.segments[1].file;
  EXPECT_FALSE(broker.is_drained_first(broker.segments[2]));
}

TEST_F(DumpBroker, segments_of_an_earlier_epoch_are_shown_and_come_first) {
  test::RouteSpec old;
  old.origin.epoch = 2;
  RouteBuilder left(old);
  left.publish("bob", "x");
  write(table_);
  write(route_);
  write(left);
  const BrokerDump broker = dumped(ProcessState::gone);
  ASSERT_EQ(broker.segments.size(), 2U);
  EXPECT_EQ(broker.segments[0].epoch, 2U);
  EXPECT_EQ(broker.segments[0].route()->messages.queued, 1U);
  EXPECT_EQ(broker.segments[1].epoch, 3U);
}

TEST_F(DumpBroker, without_a_table_the_segments_say_whose_they_are) {
  write(route_);
  const BrokerDump broker = dumped(ProcessState::gone);
  EXPECT_FALSE(broker.table_segment.has_value());
  EXPECT_EQ(broker.state, BrokerState::dead);
  EXPECT_EQ(broker.process, 4242U);
  EXPECT_EQ(broker.segments.size(), 1U);
}

TEST_F(DumpBroker, sealed_segments_of_a_dead_broker_are_gone_but_known) {
  table_.add(route_, true);
  write(table_);
  const BrokerDump broker = dumped(ProcessState::gone);
  ASSERT_EQ(broker.segments.size(), 1U);
  EXPECT_EQ(broker.segments.front().verdict, Verdict::unavailable);
  EXPECT_EQ(broker.segments.front().backing, shm::Backing::sealed);
  ASSERT_NE(broker.entry_of(broker.segments.front()), nullptr);
  EXPECT_EQ(broker.entry_of(broker.segments.front())->identity.pattern.view(), "agent.v1.*");
  EXPECT_EQ(directory_.dump().problems(), 0U);
}

TEST_F(DumpBroker, a_running_broker_that_cannot_be_asked_is_told) {
  table_.add(route_, true);
  write(table_);
  MachineOptions options = directory_.options(ProcessState::runs);
  options.ask_brokers = true;
  const MachineDump machine = read_machine(options);
  EXPECT_THAT(machine.brokers.at(0).sealed_note,
              testing::StartsWith("its broker cannot be asked: "));
  EXPECT_EQ(machine.brokers.at(0).segments.at(0).verdict, Verdict::unavailable);
}

TEST_F(DumpBroker, receipts_belong_to_the_entry_of_their_outbox) {
  const std::string file = test::file_name_of({}, shm::SegmentKind::receipt, 5);
  table_.add_outbox(5, "bob", file);
  write(table_);
  directory_.write(file, test::receipt_bytes({}, 5, 12));
  const BrokerDump broker = dumped(ProcessState::gone);
  ASSERT_EQ(broker.segments.size(), 1U);
  EXPECT_EQ(broker.entry_of(broker.segments.front())->identity.owner.view(), "bob");
  EXPECT_EQ(std::get<ReceiptDump>(broker.segments.front().content).accepted_messages, 12U);
}

TEST_F(DumpBroker, only_the_wanted_broker_is_read) {
  write(table_);
  TableBuilder other({.broker = "silver"});
  write(other);
  EXPECT_EQ(directory_.dump().brokers.size(), 2U);
  MachineOptions options = directory_.options();
  options.broker = "silver";
  const MachineDump machine = read_machine(options);
  ASSERT_EQ(machine.brokers.size(), 1U);
  EXPECT_EQ(machine.brokers.front().name, "silver");
}

TEST_F(DumpBroker, a_writer_in_the_middle_of_a_change_is_waited_for_only_while_it_lives) {
  route_.publish("bob", "x");
  route_.header().snapshot.fetch_add(1);
  table_.add(route_);
  write(table_);
  write(route_);
  const BrokerDump dead = dumped(ProcessState::gone);
  EXPECT_THAT(test::verdict_text(dead.segments.at(0)), testing::HasSubstr("died in the middle"));
  const BrokerDump stopped = dumped(ProcessState::runs);
  EXPECT_THAT(test::verdict_text(stopped.segments.at(0)), testing::HasSubstr("never held still"));
}

TEST(DumpProcessState, tells_us_from_the_dead_and_from_an_earlier_process_of_the_same_number) {
  const auto self = static_cast<std::uint32_t>(::getpid());
  EXPECT_EQ(process_state(self, 0), ProcessState::runs);
  EXPECT_EQ(process_state(self, 1), ProcessState::gone);
  EXPECT_EQ(process_state(self, 0, "/nonexistent"), ProcessState::unknown);
  EXPECT_EQ(process_state(0, 0), ProcessState::unknown);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(process_state(static_cast<std::uint32_t>(child), 0), ProcessState::gone);  // a zombie
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(process_state(static_cast<std::uint32_t>(child), 0), ProcessState::gone);
}

TEST(DumpProcessState, what_cannot_be_read_is_not_taken_for_dead) {
  char name[] = "/tmp/fairlead-test-XXXXXX";
  const std::filesystem::path proc = ::mkdtemp(name);
  std::filesystem::create_directories(proc / "77/stat");
  std::filesystem::create_directories(proc / "self/stat");
  EXPECT_EQ(process_state(77, 0, proc.string()), ProcessState::unknown);
  EXPECT_EQ(process_state(78, 0, proc.string()), ProcessState::gone);
  std::filesystem::remove_all(proc);
}

}  // namespace
}  // namespace fairlead::tools::dump
