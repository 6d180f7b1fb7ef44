// The activation log and the report log are rings: their writer may be replacing the oldest entry
// while the other side reads it, before it says so.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <fairlead/shm/constants.hpp>

#include "writer_bench.hpp"

namespace fairlead::test {
namespace {

TEST(LappedLog, R27_a_lane_whose_entry_is_being_replaced_still_joins_the_rotation) {
  WriterBench bench;
  for (std::uint32_t number = 0; number <= shm::kActivationLogEntries; ++number) {
    const auto lane = bench.writer().open_lane("p" + std::to_string(number));
    ASSERT_TRUE(lane && bench.append(*lane, "x"));
  }
  // The broker stands between the entry in lane 0's slot and the count that tells of it.
  auto& activations = bench.header().activations;
  ASSERT_EQ(activations.load(), shm::kActivationLogEntries + 1U);
  activations.store(shm::kActivationLogEntries);
  std::size_t taken = bench.take().size();
  activations.store(shm::kActivationLogEntries + 1U);
  taken += bench.take().size();
  EXPECT_EQ(taken, shm::kActivationLogEntries + 1U);
}

class LappedReports : public testing::Test {
 protected:
  LappedReports() {
    for (const char* principal : {"first", "second"}) {
      const auto lane = bench_.writer().open_lane(principal);
      EXPECT_TRUE(lane && bench_.append(*lane, "x"));
      lanes_.push_back(*lane);
    }
    // Every slot tells of the second lane but the oldest one.
    for (auto& entry : bench_.cursors().report_log) entry.store(lanes_[1]);
    bench_.cursors().report_log[0].store(lanes_[0]);
  }

  void report_up_to(std::uint64_t reports) { bench_.cursors().reports.store(reports); }
  void replace_the_oldest() { bench_.cursors().report_log[0].store(lanes_[1]); }
  void read_one() {
    shm::Lane lane = 0;
    if (bench_.writer().next_report(lane) == shm::RouteWriter::Report::lane) seen_.insert(lane);
  }
  void read_all() {
    shm::Lane lane = 0;
    for (;;) {
      const auto report = bench_.writer().next_report(lane);
      if (report == shm::RouteWriter::Report::none) return;
      if (report == shm::RouteWriter::Report::lane) seen_.insert(lane);
    }
  }

  WriterBench bench_;
  std::vector<shm::Lane> lanes_;
  std::set<shm::Lane> seen_;
};

TEST_F(LappedReports, R15_a_lane_whose_report_is_being_replaced_is_still_looked_at) {
  report_up_to(shm::kDrainReportEntries);
  replace_the_oldest();
  read_all();
  EXPECT_TRUE(seen_.contains(lanes_[0]));
}

TEST_F(LappedReports, R15_a_lane_whose_report_was_replaced_while_it_was_read_is_looked_at_later) {
  // The broker has read the count, and the guest goes round before it reads the entry.
  report_up_to(1);
  replace_the_oldest();
  read_one();
  report_up_to(shm::kDrainReportEntries);
  read_all();
  EXPECT_TRUE(seen_.contains(lanes_[0]));
}

}  // namespace
}  // namespace fairlead::test
