// The drain mutex under real processes that die while they hold it.
#include <fairlead/shm/drain_mutex.hpp>

#include <array>
#include <cstring>
#include <new>
#include <thread>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <gtest/gtest.h>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/segment.hpp>

#include "support/child_process.hpp"

namespace fairlead::shm {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Page {
  DrainMutex mutex;
  std::uint64_t guarded = 0;
};

/// A page that parent and children share, as the workers of one guest do.
class DrainMutexInSharedMemory : public ::testing::Test {
 protected:
  Segment segment_ = Segment::create_sealed("test", sizeof(Page), SealMode::guest_writable);
  Page& page_ = *new (segment_.data()) Page;

  /// A worker that dies with the mutex in its hands.
  void kill_an_owner() {
    test::Signal locked;
    test::ChildProcess owner([&]() -> std::string {
      if (page_.mutex.lock_reporting() == LockOutcome::failed) return "failed";
      locked.send();
      for (;;) ::pause();
    });
    ASSERT_TRUE(locked.wait());
    EXPECT_FALSE(page_.mutex.try_lock());
    owner.kill();
  }
};

TEST_F(DrainMutexInSharedMemory, R28_excludes_threads_and_processes) {
  constexpr std::uint64_t kRounds = 2'000;
  const auto work = [this] {
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      const boost::interprocess::scoped_lock<DrainMutex> lock(page_.mutex);
      const std::uint64_t before = page_.guarded;
      std::this_thread::yield();  // gives everybody the chance to do harm
      page_.guarded = before + 1;
    }
  };
  test::Signal started;
  test::ChildProcess other([&]() -> std::string {
    started.send();
    work();
    return "";
  });
  ASSERT_TRUE(started.wait());
  std::thread thread(work);
  work();
  thread.join();
  EXPECT_EQ(other.result(), "");
  EXPECT_EQ(page_.guarded, 3 * kRounds);
  EXPECT_EQ(page_.mutex.owner_deaths(), 0u);
}

TEST_F(DrainMutexInSharedMemory, R28_a_killed_owner_is_reported_until_somebody_repairs) {
  kill_an_owner();
  EXPECT_EQ(page_.mutex.lock_reporting(), LockOutcome::needs_repair);
  page_.mutex.unlock();
  EXPECT_EQ(page_.mutex.lock_reporting(), LockOutcome::needs_repair) << "nobody repaired it";
  page_.mutex.mark_repaired();
  page_.mutex.unlock();
  EXPECT_EQ(page_.mutex.lock_reporting(), LockOutcome::acquired);
  page_.mutex.unlock();
  EXPECT_EQ(page_.mutex.owner_deaths(), 1u);
}

TEST_F(DrainMutexInSharedMemory, R28_a_killed_repairer_leaves_it_to_the_next) {
  kill_an_owner();
  kill_an_owner();
  EXPECT_EQ(page_.mutex.try_lock_reporting(), LockOutcome::needs_repair);
  EXPECT_EQ(page_.mutex.owner_deaths(), 2u);
  page_.mutex.mark_repaired();
  page_.mutex.unlock();
}

TEST_F(DrainMutexInSharedMemory, R28_a_sleeping_waiter_gets_it_when_the_owner_is_killed) {
  test::Signal locked;
  test::ChildProcess owner([&]() -> std::string {
    page_.mutex.lock();
    locked.send();
    for (;;) ::pause();
  });
  ASSERT_TRUE(locked.wait());
  test::ChildProcess waiter([&]() -> std::string {
    const LockOutcome outcome = page_.mutex.lock_reporting();
    page_.mutex.unlock();
    return outcome == LockOutcome::needs_repair ? "" : "wrong outcome";
  });
  ASSERT_TRUE(waiter.wait_until_asleep());
  owner.kill();
  EXPECT_EQ(waiter.result(), "");
}

TEST_F(DrainMutexInSharedMemory, R28_a_plain_boost_lock_survives_a_killed_owner_too) {
  kill_an_owner();
  const boost::interprocess::scoped_lock<DrainMutex> lock(page_.mutex);
  EXPECT_TRUE(lock.owns());
  EXPECT_TRUE(page_.mutex.needs_repair());
}

TEST(DrainMutex, try_lock_and_deadlines_give_up_while_it_is_held) {
  DrainMutex mutex;
  mutex.lock();
  // Another thread: a second lock by the owner itself is a programming error.
  std::thread([&] {
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_EQ(mutex.try_lock_reporting(), LockOutcome::busy);
    EXPECT_FALSE(mutex.timed_lock(steady_clock::time_point{}));
    EXPECT_EQ(mutex.lock_until(steady_clock::time_point::min()), LockOutcome::busy);
    const auto begin = steady_clock::now();
    EXPECT_FALSE(mutex.timed_lock(begin + milliseconds(20)));
    EXPECT_GE(steady_clock::now() - begin, milliseconds(20));
    const auto now = boost::posix_time::microsec_clock::universal_time();
    EXPECT_FALSE(mutex.timed_lock(now - boost::posix_time::hours(1)));
    EXPECT_FALSE(mutex.timed_lock(now + boost::posix_time::milliseconds(5)));
    EXPECT_FALSE(mutex.timed_lock(boost::posix_time::ptime(boost::posix_time::not_a_date_time)));
  }).join();
  mutex.unlock();
}

TEST(DrainMutex, deadlines_take_a_free_one_at_once) {
  DrainMutex mutex;
  EXPECT_TRUE(mutex.timed_lock(steady_clock::time_point::max()));
  mutex.unlock();
  EXPECT_TRUE(mutex.timed_lock(boost::posix_time::ptime(boost::posix_time::pos_infin)));
  mutex.unlock();
  const boost::interprocess::scoped_lock<DrainMutex> lock(
      mutex, boost::posix_time::microsec_clock::universal_time() + boost::posix_time::seconds(5));
  EXPECT_TRUE(lock.owns());
}

TEST(DrainMutex, memory_that_is_all_zero_can_be_locked) {
  alignas(DrainMutex) std::array<std::byte, sizeof(DrainMutex)> memory{};
  auto& mutex = *reinterpret_cast<DrainMutex*>(memory.data());
  EXPECT_EQ(mutex.lock_reporting(), LockOutcome::acquired);
  mutex.unlock();
}

TEST(DrainMutex, memory_that_is_no_mutex_fails_by_name) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the sanitizer stops at what this test is about";
#endif
  alignas(DrainMutex) std::array<std::byte, sizeof(DrainMutex)> memory;
  std::memset(memory.data(), 0x7f, memory.size());
  auto& mutex = *reinterpret_cast<DrainMutex*>(memory.data());
  EXPECT_EQ(mutex.try_lock_reporting(), LockOutcome::failed);
  EXPECT_THROW(mutex.lock(), boost::interprocess::lock_exception);
}

TEST(SteadyDeadline, follows_the_wall_clock_and_has_ends) {
  using boost::posix_time::ptime;
  const ptime now = boost::posix_time::microsec_clock::universal_time();
  const auto in_an_hour = steady_deadline(now + boost::posix_time::hours(1));
  const auto left = in_an_hour - steady_clock::now();
  EXPECT_LE(left, std::chrono::hours(1));
  EXPECT_GT(left, std::chrono::minutes(59));
  EXPECT_EQ(steady_deadline(ptime(boost::posix_time::pos_infin)), steady_clock::time_point::max());
  EXPECT_EQ(steady_deadline(ptime(boost::posix_time::max_date_time)),
            steady_clock::time_point::max());
  EXPECT_LT(steady_deadline(ptime(boost::posix_time::min_date_time)), steady_clock::now());
  EXPECT_LT(steady_deadline(ptime(boost::posix_time::neg_infin)), steady_clock::now());
}

}  // namespace
}  // namespace fairlead::shm
