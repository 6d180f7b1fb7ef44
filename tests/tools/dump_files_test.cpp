// What else may lie in /dev/shm under our names: links, pipes, strangers' files.
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/segment.hpp>

#include "segment_builder.hpp"
#include "segment_directory.hpp"
#include "support/expect_error.hpp"

namespace fairlead::tools::dump {
namespace {

using test::RouteBuilder;
using test::SegmentDirectory;
using test::TableBuilder;
using testing::HasSubstr;
using testing::StartsWith;

constexpr uid_t kNobody = 65'534;

class DumpFiles : public testing::Test {
 protected:
  [[nodiscard]] std::string route_path() const { return directory_.path_of(route_.file_name()); }
  [[nodiscard]] std::string only_verdict() const {
    return test::verdict_text(directory_.only_segment());
  }

  RouteBuilder route_;
  SegmentDirectory directory_;
};

TEST_F(DumpFiles, an_empty_directory_has_no_brokers) {
  EXPECT_TRUE(directory_.dump().brokers.empty());
  EXPECT_EQ(directory_.dump().problems(), 0U);
}

TEST_F(DumpFiles, a_symbolic_link_is_not_followed) {
  directory_.write("elsewhere", route_.bytes());
  ASSERT_EQ(::symlink(directory_.path_of("elsewhere").c_str(), route_path().c_str()), 0);
  EXPECT_THAT(only_verdict(), StartsWith("squatted: this is a symbolic link of uid "));
}

TEST_F(DumpFiles, a_fifo_does_not_block) {
  ASSERT_EQ(::mkfifo(route_path().c_str(), 0600), 0);
  EXPECT_THAT(only_verdict(), StartsWith("squatted: this is a FIFO of uid "));
}

TEST_F(DumpFiles, a_directory_is_no_segment) {
  ASSERT_EQ(::mkdir(route_path().c_str(), 0700), 0);
  EXPECT_THAT(only_verdict(), StartsWith("squatted: this is a directory of uid "));
}

TEST_F(DumpFiles, a_file_that_others_could_write_is_not_believed) {
  directory_.write(route_.file_name(), route_.bytes(), 0666);
  EXPECT_EQ(only_verdict(), "foreign: it has mode 0666, a broker's segments have 0600");
}

TEST_F(DumpFiles, a_file_of_another_user_than_the_table_is_squatted) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  TableBuilder table;
  directory_.write(table.file_name(), table.bytes());
  directory_.write(route_.file_name(), route_.bytes());
  ASSERT_EQ(::chown(route_path().c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(only_verdict(), "squatted: it belongs to uid 65534, its broker to uid 0");
}

TEST_F(DumpFiles, a_file_that_does_not_belong_to_whom_it_says_is_foreign) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  directory_.write(route_.file_name(), route_.bytes());
  ASSERT_EQ(::chown(route_path().c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(only_verdict(), "foreign: its header says uid 0, the file belongs to uid 65534");
}

TEST_F(DumpFiles, a_name_that_no_broker_gives_is_a_stray) {
  directory_.write("fairlead.gold.3.route.7", "x");
  directory_.write("fairlead.silver.table.bak", "x");
  directory_.write("something.else", "x");
  const MachineDump machine = directory_.dump();
  ASSERT_EQ(machine.strays.size(), 2U);
  EXPECT_EQ(machine.strays[0].file, "fairlead.gold.3.route.7");
  EXPECT_EQ(machine.problems(), 2U);
  MachineOptions options = directory_.options();
  options.broker = "silver";
  EXPECT_EQ(read_machine(options).strays.size(), 1U);
}

TEST_F(DumpFiles, a_copy_under_another_name_is_foreign) {
  test::SegmentOrigin other;
  other.epoch = 4;
  directory_.write(test::file_name_of(other, shm::SegmentKind::route, 7), route_.bytes());
  EXPECT_EQ(only_verdict(), "foreign: its header says epoch 3, its name 4");
}

TEST_F(DumpFiles, a_directory_that_is_unreadable_is_an_error) {
  MachineOptions options = directory_.options();
  options.directory = directory_.path_of("file");
  directory_.write("file", "x");
  test::expect_error(ErrorCode::system, [&] { (void)read_machine(options); });
}

TEST_F(DumpFiles, a_segment_made_the_usual_way_is_read) {
  const std::string name =
      shm::make_segment_name("dump-" + std::to_string(::getpid()), 1, shm::SegmentKind::route, 1);
  shm::Segment segment = shm::Segment::create_named(name, 1 << 20, shm::kRouteArenaOffset);
  test::SegmentOrigin origin{.broker = "dump-" + std::to_string(::getpid()), .epoch = 1};
  shm::format_route(segment.data(), route_.identity(), *test::stamp_of(origin, 1 << 20));
  MachineOptions options = directory_.options();
  options.directory = "/dev/shm";
  options.broker = origin.broker;
  const MachineDump machine = read_machine(options);
  EXPECT_TRUE(segment.unlink());
  ASSERT_EQ(machine.brokers.size(), 1U);
  ASSERT_EQ(machine.brokers.front().segments.size(), 1U);
  EXPECT_EQ(test::verdict_text(machine.brokers.front().segments.front()), "ok");
  EXPECT_EQ(machine.brokers.front().segments.front().maximum_bytes, 1U << 20U);
}

}  // namespace
}  // namespace fairlead::tools::dump
