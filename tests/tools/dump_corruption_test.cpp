// Segments that were spoiled in a known way: the dump tool says what is wrong and goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>

#include "segment_builder.hpp"
#include "segment_directory.hpp"

namespace fairlead::tools::dump {
namespace {

using shm::LanePage;
using shm::LaneStatistics;
using shm::RouteCounters;
using shm::RouteHeader;
using shm::RouteIdentity;
using shm::SegmentHeader;
using shm::TableEntry;
using shm::TableHeader;
using test::RouteBuilder;
using test::SegmentDirectory;
using test::TableBuilder;
using testing::HasSubstr;
using testing::StartsWith;

std::string command(const char* verb, std::uint64_t offset, std::uint64_t value) {
  return std::string(verb) + ' ' + std::to_string(offset) + ' ' + std::to_string(value);
}

struct Case {
  const char* name;
  std::string script;
  Verdict verdict;
  const char* sentence;  // a part of one of them
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

std::string name_of_case(const testing::TestParamInfo<Case>& info) { return info.param.name; }

constexpr std::uint64_t kIdentity = offsetof(RouteHeader, identity);
constexpr std::uint64_t kCounters = offsetof(RouteHeader, counters);

// The first lane page lies at the arena's start: it is the first thing that a route allocates.
constexpr std::uint64_t kPage = shm::kRouteArenaOffset;
constexpr std::uint64_t kStatistics = kPage + offsetof(LanePage, statistics);

class DumpSpoiledRoute : public testing::TestWithParam<Case> {
 protected:
  DumpSpoiledRoute() {
    builder_.publish("bob", "12345").publish("bob", "12345").publish("carol", "12345");
  }
  SegmentDump dumped(const std::string& script) {
    directory_.write(builder_.file_name(), test::spoiled(builder_.bytes(), script));
    return directory_.only_segment();
  }

  RouteBuilder builder_;
  SegmentDirectory directory_;
};

TEST_P(DumpSpoiledRoute, is_named_and_survived) {
  const SegmentDump segment = dumped(GetParam().script);
  EXPECT_EQ(to_string(segment.verdict), to_string(GetParam().verdict))
      << test::verdict_text(segment);
  EXPECT_THAT(test::verdict_text(segment), HasSubstr(GetParam().sentence));
  EXPECT_EQ(directory_.dump().problems(), 1U);
}

const Case kHeaderCases[] = {
    {"empty", "cut 0", Verdict::not_ready, "it is empty: its maker has not finished it"},
    {"half_a_header", "cut 100", Verdict::truncated, "100 bytes, too few for a segment header"},
    {"zeroed", "zero 0 16384", Verdict::not_ready, "or it was zeroed"},
    {"unfinished", command("set32", offsetof(SegmentHeader, version), 0), Verdict::not_ready,
     "not finished"},
    {"other_magic", "text 0 ELFELFEL", Verdict::foreign, "not a fairlead segment"},
    {"other_version", command("set32", offsetof(SegmentHeader, version), 99), Verdict::foreign,
     "format version 99"},
    {"other_layout", command("set64", offsetof(SegmentHeader, layout_hash), 1), Verdict::foreign,
     "another struct layout"},
    {"unknown_kind", command("set32", offsetof(SegmentHeader, kind), 77), Verdict::corrupt,
     "kind 77"},
    {"other_kind", command("set32", offsetof(SegmentHeader, kind), 4), Verdict::foreign,
     "its header says outbox, its name route"},
    {"other_broker", command("set16", offsetof(SegmentHeader, broker), 2), Verdict::foreign,
     "another broker"},
    {"endless_broker_name", command("set16", offsetof(SegmentHeader, broker), 65'535),
     Verdict::foreign, "another broker"},
    {"other_epoch", command("set64", offsetof(SegmentHeader, epoch), 9), Verdict::foreign,
     "its header says epoch 9, its name 3"},
    {"other_owner", command("set32", offsetof(SegmentHeader, owner_user), 4'000'000),
     Verdict::foreign, "its header says uid 4000000"},
};
INSTANTIATE_TEST_SUITE_P(Header, DumpSpoiledRoute, testing::ValuesIn(kHeaderCases), name_of_case);

const Case kIdentityCases[] = {
    {"header_only", "cut 256", Verdict::truncated, "too few for a route"},
    {"policy", command("set32", kIdentity + offsetof(RouteIdentity, eviction), 9), Verdict::corrupt,
     "eviction policy is 9"},
    {"admission", command("set32", kIdentity + offsetof(RouteIdentity, admission), 0),
     Verdict::corrupt, "admission is 0"},
    {"boundary", command("set32", kIdentity + offsetof(RouteIdentity, boundary), 3),
     Verdict::corrupt, "boundary is 3"},
    {"no_lanes", command("set32", kIdentity + offsetof(RouteIdentity, lane_capacity), 0),
     Verdict::corrupt, "lane capacity is 0"},
    {"endless_lanes",
     command("set32", kIdentity + offsetof(RouteIdentity, lane_capacity), 0xffff'ffc0),
     Verdict::corrupt, "lane capacity is 4294967232"},
    {"odd_lanes", command("set32", kIdentity + offsetof(RouteIdentity, lane_capacity), 65),
     Verdict::corrupt, "lane capacity is 65"},
    {"arena", command("set64", kIdentity + offsetof(RouteIdentity, arena_offset), 1ULL << 60),
     Verdict::corrupt, "arena begins at"},
    {"endless_pattern", command("set16", kIdentity + offsetof(RouteIdentity, pattern), 65'535),
     Verdict::corrupt, "pattern is none"},
    {"pattern_of_escapes", command("set8", kIdentity + offsetof(RouteIdentity, pattern) + 2, 0x1b),
     Verdict::corrupt, "pattern is none"},
    {"owner", command("set16", kIdentity + offsetof(RouteIdentity, owner), 200), Verdict::corrupt,
     "owner is no principal's name"},
    {"state", command("set32", offsetof(RouteHeader, state), 12), Verdict::corrupt,
     "its state is 12"},
};
INSTANTIATE_TEST_SUITE_P(Identity, DumpSpoiledRoute, testing::ValuesIn(kIdentityCases),
                         name_of_case);

const Case kLaneCases[] = {
    {"cut_in_the_arena", "cut 20000", Verdict::truncated, "cut to 20000 bytes"},
    {"endless_committed", command("set64", offsetof(RouteHeader, committed_bytes), ~0ULL),
     Verdict::truncated, "its broker allocated 18446744073709551615"},
    {"page_outside", command("set32", offsetof(RouteHeader, lane_pages), 0xffff'ffff),
     Verdict::corrupt, "page of lanes from 0 on lies at 1099511627520, outside"},
    {"page_in_the_header", command("set32", offsetof(RouteHeader, lane_pages), 1), Verdict::corrupt,
     "page of lanes from 0 on lies at 256, outside"},
    {"head_beyond_tail", command("set64", kStatistics, 3), Verdict::corrupt,
     "lane 0 has its head at 3, outside of 0 to 2"},
    {"tail_far_away", command("set64", kPage, 1ULL << 62), Verdict::corrupt,
     "more than a lane may"},
    {"evicted_too_much", command("set64", kStatistics + offsetof(LaneStatistics, evicted), 5),
     Verdict::corrupt, "lane 0 evicted more than it ever held"},
    {"no_generation", command("set32", kPage + offsetof(shm::LaneHead, generation), 0),
     Verdict::corrupt, "lane 0 is in use without a generation"},
    {"chunk_outside", command("set64", kStatistics + offsetof(LaneStatistics, chunk), 1ULL << 40),
     Verdict::corrupt, "lane 0 does not say whose it is"},
    {"chunk_in_the_header", command("set64", kStatistics + offsetof(LaneStatistics, chunk), 256),
     Verdict::corrupt, "lane 0 does not say whose it is"},
    {"chunk_of_another_lane",
     command("set64", kStatistics + offsetof(LaneStatistics, chunk), kPage + 64), Verdict::corrupt,
     "lane 0 does not say whose it is"},
    {"lanes_and_totals_differ",
     command("set64", kCounters + offsetof(RouteCounters, active_lanes), 3), Verdict::corrupt,
     "its 2 lanes hold 3 messages (45 bytes), its totals say 3 lanes"},
    {"torn", command("set32", offsetof(RouteHeader, snapshot), 0xffff'ffff), Verdict::torn,
     "died in the middle of a change"},
};
INSTANTIATE_TEST_SUITE_P(Lanes, DumpSpoiledRoute, testing::ValuesIn(kLaneCases), name_of_case);

TEST_F(DumpSpoiledRoute, R30_a_sum_that_does_not_hold_is_flagged) {
  const SegmentDump segment =
      dumped(command("add64", kCounters + offsetof(RouteCounters, published), 1));
  ASSERT_NE(segment.route(), nullptr);
  EXPECT_TRUE(segment.route()->messages.known);
  EXPECT_FALSE(segment.route()->messages.holds);
  EXPECT_TRUE(segment.route()->bytes.holds);
  EXPECT_EQ(directory_.dump().problems(), 1U);
}

TEST_F(DumpSpoiledRoute, R30_a_sum_that_only_holds_by_overflow_is_flagged) {
  const SegmentDump segment =
      dumped(command("set64", kCounters + offsetof(RouteCounters, delivered), ~0ULL) + ';' +
             command("add64", kCounters + offsetof(RouteCounters, published), ~0ULL));
  EXPECT_FALSE(segment.route()->messages.holds);
}

TEST_F(DumpSpoiledRoute, R30_a_torn_sum_is_neither_right_nor_wrong) {
  const SegmentDump segment =
      dumped(command("set32", offsetof(RouteHeader, snapshot), 7) + ';' +
             command("add64", kCounters + offsetof(RouteCounters, published), 1));
  EXPECT_FALSE(segment.route()->messages.known);
  EXPECT_EQ(segment.verdict, Verdict::torn);
}

TEST_F(DumpSpoiledRoute, a_bad_lane_does_not_hide_the_others) {
  const SegmentDump segment = dumped(command("set64", kStatistics, 3));
  ASSERT_NE(segment.route(), nullptr);
  ASSERT_EQ(segment.route()->lanes.size(), 1U);
  EXPECT_EQ(segment.route()->lanes.front().principal, "carol");
}

TEST_F(DumpSpoiledRoute, many_bad_lanes_are_told_in_few_sentences) {
  for (int lane = 0; lane < 60; ++lane) builder_.publish("p" + std::to_string(lane), "x");
  std::string script;
  for (std::uint64_t lane = 0; lane < 60; ++lane) {
    script += command("set64", kStatistics + lane * sizeof(LaneStatistics), 1'000) + ';';
  }
  const SegmentDump segment = dumped(script);
  EXPECT_LE(segment.problems.size(), 10U);
  EXPECT_THAT(test::verdict_text(segment), HasSubstr("and 52 more lanes like that"));
}

TEST_F(DumpSpoiledRoute, any_noise_is_survived) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const std::string script = command("noise", seed, 1 + seed % 50 * 40);
    (void)dumped(script);
  }
}

// ---- tables ------------------------------------------------------------------------------------

class DumpSpoiledTable : public testing::TestWithParam<Case> {
 protected:
  DumpSpoiledTable() { table_.add(route_); }
  MachineDump dumped(const std::string& script) {
    directory_.write(table_.file_name(), test::spoiled(table_.bytes(), script));
    directory_.write(route_.file_name(), route_.bytes());
    return directory_.dump();
  }

  RouteBuilder route_;
  TableBuilder table_;
  SegmentDirectory directory_;
};

TEST_P(DumpSpoiledTable, is_named_and_the_route_is_shown_all_the_same) {
  const MachineDump machine = dumped(GetParam().script);
  ASSERT_EQ(machine.brokers.size(), 1U);
  const BrokerDump& broker = machine.brokers.front();
  ASSERT_TRUE(broker.table_segment.has_value());
  EXPECT_EQ(to_string(broker.table_segment->verdict), to_string(GetParam().verdict))
      << test::verdict_text(*broker.table_segment);
  EXPECT_THAT(test::verdict_text(*broker.table_segment), HasSubstr(GetParam().sentence));
  ASSERT_EQ(broker.segments.size(), 1U);
  EXPECT_EQ(test::verdict_text(broker.segments.front()), "ok");
}

constexpr std::uint64_t kEntry = shm::kTableEntriesOffset;

const Case kTableCases[] = {
    {"header_only", "cut 256", Verdict::truncated, "too few for a table"},
    {"entry_size", command("set32", offsetof(TableHeader, entry_bytes), 8), Verdict::corrupt,
     "its entries have 8 bytes"},
    {"endless_entries", command("set64", offsetof(TableHeader, entries), ~0ULL), Verdict::corrupt,
     "18446744073709551615 entries"},
    {"more_entries_than_bytes", command("set64", offsetof(TableHeader, entries), 5),
     Verdict::truncated, "its 5 entries need"},
    {"cut_before_the_entries", "cut 600", Verdict::truncated, "its 1 entries need"},
    {"torn_header", command("set32", offsetof(TableHeader, snapshot), 3), Verdict::torn,
     "its header is in the middle of a change"},
    {"torn_entry", command("set32", kEntry, 5), Verdict::torn,
     "entry 0 is in the middle of a change"},
    {"entry_state", command("set32", kEntry + offsetof(TableEntry, state), 8), Verdict::corrupt,
     "entry 0: its state is 8"},
    {"entry_kind", command("set32", kEntry + offsetof(TableEntry, kind), 1), Verdict::corrupt,
     "entry 0: its kind is 1"},
    {"entry_name", command("set16", kEntry + offsetof(TableEntry, segment), 60'000),
     Verdict::corrupt, "entry 0: its segment name is too long"},
    {"entry_of_a_path",
     "text " + std::to_string(kEntry + offsetof(TableEntry, segment) + 2) + " ../../etc/passwd",
     Verdict::corrupt, "entry 0: its segment name is none"},
    {"entry_identity",
     command("set32", kEntry + offsetof(TableEntry, identity) + offsetof(RouteIdentity, eviction),
             44),
     Verdict::corrupt, "entry 0: its eviction policy is 44"},
};
INSTANTIATE_TEST_SUITE_P(Table, DumpSpoiledTable, testing::ValuesIn(kTableCases), name_of_case);

TEST_F(DumpSpoiledTable, any_noise_is_survived) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) (void)dumped(command("noise", seed, 30));
}

// ---- what belongs to one guest
// -------------------------------------------------------------------

TEST(DumpSpoiledReceipts, are_named) {
  const test::SegmentOrigin origin;
  const std::string file = test::file_name_of(origin, shm::SegmentKind::receipt, 5);
  const SegmentDirectory directory;
  directory.write(file, test::receipt_bytes(origin, 5, 12));
  EXPECT_EQ(test::verdict_text(directory.only_segment()), "ok");
  directory.write(file, test::spoiled(test::receipt_bytes(origin, 5, 12), "cut 4096"));
  EXPECT_EQ(test::verdict_text(directory.only_segment()),
            "truncated: it was cut to 4096 bytes, too few for receipts");
  directory.write(file,
                  test::spoiled(test::receipt_bytes(origin, 5, 12),
                                command("set64", offsetof(shm::ReceiptHeader, ring_bytes), 1'000)));
  EXPECT_THAT(test::verdict_text(directory.only_segment()), HasSubstr("1000 bytes, no power of"));
}

TEST(DumpSpoiledCursors, are_shown_as_the_guest_wrote_them) {
  RouteBuilder route;
  route.publish("bob", "x").publish("bob", "y").take(1);
  const std::string file = test::file_name_of({}, shm::SegmentKind::cursor, 7);
  const SegmentDirectory directory;
  directory.write(file, route.cursor_bytes());
  SegmentDump segment = directory.only_segment();
  ASSERT_TRUE(std::holds_alternative<CursorDump>(segment.content));
  EXPECT_EQ(std::get<CursorDump>(segment.content).held_messages, 1U);
  EXPECT_EQ(std::get<CursorDump>(segment.content).batches_out, 1U);
  directory.write(file, test::spoiled(route.cursor_bytes(), "cut 5000"));
  segment = directory.only_segment();
  EXPECT_EQ(test::verdict_text(segment),
            "truncated: it was cut to 5000 bytes, too few for cursors");
}

}  // namespace
}  // namespace fairlead::tools::dump
