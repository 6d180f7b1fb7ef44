// Brokers of one name that begin at once: one has it, whatever was there before.
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/segment_name.hpp>

#include "support/expect_error.hpp"
#include "support/test_broker.hpp"
#include "table/route_table.hpp"

namespace fairlead::test {
namespace {

using broker::RouteTable;

class TableRace : public testing::Test {
 protected:
  ~TableRace() override { ::unlink(path_.c_str()); }
  void leave(const std::string& text) const {
    std::ofstream(path_, std::ios::trunc) << text;
    ::chmod(path_.c_str(), 0600);
  }
  // A flock belongs to the open file, so threads are as good as processes.
  int winners_of_a_start(int contenders) const {
    std::atomic<int> winners = 0;
    std::barrier start(contenders);
    std::barrier end(contenders);
    std::vector<std::jthread> threads;
    for (int each = 0; each < contenders; ++each) {
      threads.emplace_back([&] {
        std::unique_ptr<RouteTable> table;
        start.arrive_and_wait();
        try {
          table = std::make_unique<RouteTable>(name_, "");
          ++winners;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::name_taken) << error.what();
        }
        end.arrive_and_wait();  // nobody has given the name back before all had their turn
        EXPECT_TRUE(!table || std::filesystem::exists(path_));
      });
    }
    threads.clear();
    return winners;
  }

  std::string name_ = unique_broker_name();
  std::string path_ = shm::segment_path(shm::table_segment_name(name_));
};

TEST_F(TableRace, R08_of_brokers_that_begin_at_once_one_has_the_name) {
  constexpr int kRounds = 150;
  for (int round = 0; round < kRounds; ++round) {
    // Nothing there, what a maker had begun, what makes no sense, what the round before left.
    if (round % 4 == 0) ::unlink(path_.c_str());
    if (round % 4 == 1) leave("");
    if (round % 4 == 2) leave(std::string(100'000, 'x'));
    ASSERT_EQ(winners_of_a_start(3), 1) << round;
  }
}

TEST_F(TableRace, a_table_whose_maker_holds_its_lock_is_not_removed_however_short_it_is) {
  leave("");
  const shm::UniqueFd maker(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(maker.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(expect_error(ErrorCode::name_taken, [&] { RouteTable table(name_, ""); }),
            "a broker named " + name_ + " is running already; stop it or choose another name");
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace fairlead::test
