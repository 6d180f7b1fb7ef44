// The route table: one broker of a name, numbers that go on, leftovers that go.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include <fairlead/shm/segment_name.hpp>
#include <fairlead/shm/snapshot_guard.hpp>

#include "support/expect_error.hpp"
#include "support/test_broker.hpp"
#include "table/route_table.hpp"

namespace fairlead::test {
namespace {

using broker::RouteTable;
using broker::TableRecord;

class Table : public testing::Test {
 protected:
  ~Table() override {
    broker::sweep_leftovers(name_, {});
    ::unlink(path().c_str());
  }
  std::string path() const { return shm::segment_path(shm::table_segment_name(name_)); }
  std::string leave_segment(std::string_view broker_name) {
    const std::string name = shm::make_segment_name(broker_name, 1, shm::SegmentKind::route, 1);
    std::ofstream(shm::segment_path(name)) << "leftover";
    return shm::segment_path(name);
  }
  static bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

  std::string name_ = unique_broker_name();
};

TEST_F(Table, a_second_broker_of_a_name_is_refused_and_says_who_has_it) {
  RouteTable first(name_, "");
  EXPECT_EQ(expect_error(ErrorCode::name_taken, [&] { RouteTable second(name_, ""); }),
            "a broker named " + name_ + " is running already as process " +
                std::to_string(::getpid()) + "; stop it or choose another name");
  first.remove();
  RouteTable third(name_, "");
  third.remove();
  EXPECT_FALSE(exists(path()));
}

TEST_F(Table, R08_a_dead_broker_s_numbers_are_never_used_again) {
  std::uint64_t subscription = 0;
  std::uint64_t sequence = 0;
  {
    RouteTable dies(name_, "");
    EXPECT_EQ(dies.epoch(), 1U);
    EXPECT_FALSE(dies.legacy().found);
    subscription = dies.take_subscription();
    sequence = dies.first_sequence() + 5'000'000'000;
    dies.reserve_sequences(sequence);
  }
  {
    RouteTable next(name_, "");
    EXPECT_EQ(next.epoch(), 2U);
    EXPECT_TRUE(next.legacy().found);
    EXPECT_GT(next.take_subscription(), subscription);
    EXPECT_GT(next.first_sequence(), sequence);
    next.remove();
  }
  RouteTable fresh(name_, "");
  EXPECT_EQ(fresh.epoch(), 1U);
  EXPECT_EQ(fresh.take_subscription(), 1U);
}

TEST_F(Table, what_a_dead_broker_left_is_removed_and_nobody_else_s) {
  const std::string ours = leave_segment(name_);
  const std::string theirs = leave_segment(name_ + "-other");
  {
    RouteTable table(name_, "");
    EXPECT_EQ(table.swept(), 1U);
    EXPECT_FALSE(exists(ours));
    EXPECT_TRUE(exists(theirs));
    EXPECT_TRUE(exists(path()));
  }
  ::unlink(theirs.c_str());
}

TEST_F(Table, a_table_that_makes_no_sense_is_replaced) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{10}, std::size_t{100'000}}) {
    std::ofstream(path()) << std::string(bytes, 'x');
    ::chmod(path().c_str(), 0600);
    RouteTable table(name_, "");
    EXPECT_FALSE(table.legacy().found);
    EXPECT_EQ(table.epoch(), 1U);
    table.remove();
  }
}

TEST_F(Table, a_name_that_others_may_touch_is_refused) {
  std::ofstream(path()) << std::string(8'192, 'x');
  ::chmod(path().c_str(), 0666);
  EXPECT_EQ(expect_error(ErrorCode::foreign_segment, [&] { RouteTable table(name_, ""); }),
            "segment " + path() +
                " has mode 0666, expected mode 0600; no broker made it, it belongs to uid " +
                std::to_string(::geteuid()) + ": remove it with `rm " + path() +
                "` or choose another name");
}

TEST_F(Table, entries_are_readable_by_others_while_they_change) {
  RouteTable table(name_, "/run/x.sock");
  TableRecord record;
  record.identity.subscription = 77;
  record.identity.pattern.assign("a.*");
  record.gate = 5;
  record.segment = "some.segment";
  std::vector<RouteTable::Slot> slots;
  for (int count = 0; count < 500; ++count) slots.push_back(*table.add(record));
  table.set_gate(slots[3], 9);
  table.erase(slots[4]);
  EXPECT_EQ(table.add(record), slots[4]);
  table.erase(slots[4]);

  const shm::UniqueFd file(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  shm::TableHeader header;
  ASSERT_EQ(::pread(file.get(), static_cast<void*>(&header), sizeof header, 0),
            static_cast<ssize_t>(sizeof header));
  EXPECT_EQ(header.entries.load(), 500U);
  EXPECT_EQ(header.entry_bytes, sizeof(shm::TableEntry));
  EXPECT_EQ(header.socket_path.view(), "/run/x.sock");
  EXPECT_EQ(header.snapshot.load() % 2, 0U);
  const auto read = [&](RouteTable::Slot slot) {
    auto entry = std::make_unique<shm::TableEntry>();
    const auto offset =
        static_cast<off_t>(shm::kTableEntriesOffset + slot * sizeof(shm::TableEntry));
    EXPECT_EQ(::pread(file.get(), static_cast<void*>(entry.get()), sizeof *entry, offset),
              static_cast<ssize_t>(sizeof *entry));
    return entry;
  };
  EXPECT_EQ(read(slots[3])->gate.load(), 9U);
  EXPECT_EQ(read(slots[3])->identity.pattern.view(), "a.*");
  EXPECT_EQ(read(slots[3])->segment.view(), "some.segment");
  EXPECT_EQ(read(slots[3])->state, shm::TableEntryState::live);
  EXPECT_EQ(read(slots[4])->state, shm::TableEntryState::free);
  EXPECT_EQ(read(slots[499])->snapshot.load() % 2, 0U);
  table.remove();
}

TEST_F(Table, the_broker_writes_its_routes_into_it) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  auto packet = guest->subscribe_packet("a.*");
  packet.staged = 1;
  const auto route = guest->subscribe(packet);
  const auto outbox = guest->open_outbox();
  const shm::UniqueFd file(
      ::open(shm::segment_path(shm::table_segment_name(broker.name())).c_str(), O_RDONLY));
  shm::TableEntry entries[2];
  const auto read = [&] {
    EXPECT_EQ(
        ::pread(file.get(), static_cast<void*>(entries), sizeof entries, shm::kTableEntriesOffset),
        static_cast<ssize_t>(sizeof entries));
  };
  read();
  EXPECT_EQ(entries[0].kind, shm::SegmentKind::route);
  EXPECT_EQ(entries[0].gate.load(), UINT64_MAX);
  EXPECT_EQ(entries[0].identity.subscription, route->answer.subscription);
  EXPECT_EQ(0, std::memcmp(entries[0].resume_token, entries[1].resume_token, 16)) << "the guest's";
  EXPECT_EQ(entries[1].kind, shm::SegmentKind::outbox);
  EXPECT_EQ(entries[1].identity.route_id, outbox->answer.outbox);
  EXPECT_EQ(entries[1].identity.owner.view(), "alice");
  for (const auto& entry : entries) {
    EXPECT_EQ(entry.state, shm::TableEntryState::live);
    EXPECT_TRUE(std::string(entry.segment.view()).starts_with("fairlead." + broker.name()));
  }
  guest->set_gate(true);
  read();
  EXPECT_EQ(entries[0].gate.load(), broker->statistics().next_sequence);
  guest->leave();
  ASSERT_TRUE(broker.wait_until([](const auto& now) { return now.guests.empty(); }));
  read();
  for (const auto& entry : entries) EXPECT_EQ(entry.state, shm::TableEntryState::free);
}

TEST(Taken, a_broker_whose_socket_path_is_taken_leaves_nothing_behind) {
  TestBroker first({.listening = true});
  broker::BrokerOptions options = first.options();
  options.name = unique_broker_name();
  EXPECT_EQ(expect_error(ErrorCode::socket_taken, [&] { broker::Broker second(options); }),
            "socket path " + first.socket_path() +
                " is taken: a live broker listens there; stop it or use another path");
  EXPECT_FALSE(::access(shm::segment_path(shm::table_segment_name(options.name)).c_str(), F_OK) ==
               0);
  EXPECT_EQ(::access(first.socket_path().c_str(), F_OK), 0);
}

TEST(Taken, a_broker_whose_name_is_taken_leaves_the_other_alone) {
  TestBroker first({.listening = true});
  const auto guest = first.guest("alice");
  const auto route = guest->subscribe("t");
  broker::BrokerOptions options = first.options();
  options.socket_path += "2";
  (void)expect_error(ErrorCode::name_taken, [&] { broker::Broker second(options); });
  EXPECT_EQ(first->publish("bob", "t", "x").taken, 1U);
  EXPECT_EQ(route->payloads().size(), 1U);
  EXPECT_EQ(first.segments().size(), 2U);
  options.name = "no/good";
  (void)expect_error(ErrorCode::invalid_argument, [&] { broker::Broker third(options); });
}

}  // namespace
}  // namespace fairlead::test
