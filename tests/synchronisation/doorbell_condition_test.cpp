// The condition between a broker and the workers of a guest, some of which are killed or stopped.
#include <fairlead/shm/doorbell_condition.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <gtest/gtest.h>

#include <fairlead/shm/drain_mutex.hpp>
#include <fairlead/shm/segment.hpp>

#include "support/child_process.hpp"

namespace fairlead::shm {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Lock = boost::interprocess::scoped_lock<DrainMutex>;

struct BrokerPage {
  std::atomic<std::uint32_t> doorbell{0};
  std::atomic<std::uint64_t> published{0};
};
struct GuestPage {
  DrainMutex mutex;
  std::atomic<std::uint32_t> wait_count{0};
  std::atomic<std::uint64_t> taken{0};  // changed under the mutex
};

/// The notifying side as a route's writer does it; counts its system calls.
class Notifier {
 public:
  Notifier(BrokerPage& broker, const GuestPage& guest) : broker_(broker), guest_(guest) {}

  void publish(std::uint64_t messages = 1) {
    broker_.published.fetch_add(messages, std::memory_order_relaxed);
    // seq_cst on all four accesses takes the place of the fence; a sanitizer understands it too.
    broker_.doorbell.fetch_add(1, std::memory_order_seq_cst);  // sync: doorbell
    const std::uint32_t count =
        guest_.wait_count.load(std::memory_order_seq_cst);  // sync: wait-count
    if (count == last_count_) return;
    last_count_ = count;
    ++wakes_;
    futex_wake(broker_.doorbell, 64);
  }
  int wakes() const { return wakes_; }

 private:
  BrokerPage& broker_;
  const GuestPage& guest_;
  std::uint32_t last_count_ = 0;
  int wakes_ = 0;
};

class DoorbellConditionAcrossProcesses : public ::testing::Test {
 protected:
  bool work_left() const {
    return guest_.taken < broker_.published.load(std::memory_order_acquire);
  }

  /// A worker that takes one message at a time until `last` messages are gone.
  std::string work_until(std::uint64_t last, std::chrono::nanoseconds spin = {}) {
    DoorbellCondition condition(seen_.doorbell, guest_.wait_count, spin);
    for (;;) {
      Lock lock(guest_.mutex);
      if (guest_.taken == last) return "";
      const auto deadline = steady_clock::now() + seconds(30);
      const auto ready = [&] { return work_left() || guest_.taken == last; };
      if (!condition.timed_wait(lock, deadline, ready)) return "lost a wake-up";
      if (guest_.taken < last) ++guest_.taken;
    }
  }

  static Segment view_read_only(const Segment& segment) {
    OpenOptions options;
    options.check_header = false;
    return Segment::adopt_descriptor(segment.read_only_descriptor(), Access::read_only, options)
        .value();
  }

  Segment broker_segment_ =
      Segment::create_sealed("broker", sizeof(BrokerPage), SealMode::broker_written);
  Segment guest_segment_ =
      Segment::create_sealed("guest", sizeof(GuestPage), SealMode::guest_writable);
  Segment read_only_ = view_read_only(broker_segment_);
  BrokerPage& broker_ = *new (broker_segment_.data()) BrokerPage;
  GuestPage& guest_ = *new (guest_segment_.data()) GuestPage;
  const BrokerPage& seen_ = *reinterpret_cast<const BrokerPage*>(read_only_.data());
  Notifier notifier_{broker_, guest_};
};

TEST_F(DoorbellConditionAcrossProcesses, R28_wakes_a_sleeper_on_a_read_only_doorbell) {
  test::ChildProcess worker([&] { return work_until(1); });
  ASSERT_TRUE(worker.wait_until_asleep());
  notifier_.publish();
  EXPECT_EQ(worker.result(), "");
  EXPECT_EQ(notifier_.wakes(), 1);
}

TEST_F(DoorbellConditionAcrossProcesses, R28_a_ring_before_the_wait_is_not_slept_through) {
  DoorbellCondition condition(seen_.doorbell, guest_.wait_count);
  Lock lock(guest_.mutex);
  notifier_.publish();
  condition.wait(lock);
  EXPECT_TRUE(lock.owns());
  EXPECT_EQ(guest_.wait_count.load(), 0u) << "it never had to register";
}

TEST_F(DoorbellConditionAcrossProcesses, R28_killed_sleepers_neither_block_nor_cost_wake_ups) {
  for (int round = 0; round < 20; ++round) {
    test::ChildProcess victim([&] { return work_until(UINT64_MAX); });
    ASSERT_TRUE(victim.wait_until_asleep());
    victim.kill();
    const std::uint64_t next = broker_.published.load() + 1;
    test::ChildProcess survivor([&] { return work_until(next); });
    ASSERT_TRUE(survivor.wait_until_asleep());
    notifier_.publish();
    EXPECT_EQ(survivor.result(), "");
  }
}

TEST_F(DoorbellConditionAcrossProcesses, R28_a_stopped_sleeper_keeps_no_other_from_waking) {
  test::ChildProcess stopped([&] { return work_until(1); });
  ASSERT_TRUE(stopped.wait_until_asleep());
  EXPECT_TRUE(test::send_signal(stopped.pid(), SIGSTOP));
  test::ChildProcess awake([&] { return work_until(1); });
  ASSERT_TRUE(awake.wait_until_asleep());
  notifier_.publish();
  EXPECT_EQ(awake.result(), "");
  EXPECT_TRUE(test::send_signal(stopped.pid(), SIGCONT));
  EXPECT_EQ(stopped.result(), "") << "it finds that the work is done";
}

/// The moment that matters, forced: the wait count lies in a page that faults at the first touch,
/// and the handler rings as a notifier would that has just missed the registration.
struct MissedRegistration {
  std::atomic<std::uint32_t> doorbell{0};
  std::atomic<std::uint32_t>* wait_count = nullptr;
};
MissedRegistration missed_registration;

void ring_at_the_registration(int) {
  ::mprotect(missed_registration.wait_count, 4096, PROT_READ | PROT_WRITE);
  missed_registration.doorbell.fetch_add(1, std::memory_order_seq_cst);
}

TEST(DoorbellCondition, R28_a_ring_at_the_very_registration_is_not_slept_through) {
  test::ChildProcess worker([]() -> std::string {
    MissedRegistration& page = missed_registration;
    void* const memory = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return "mmap";
    page.wait_count = static_cast<std::atomic<std::uint32_t>*>(memory);
    struct sigaction action {};
    action.sa_handler = &ring_at_the_registration;
    ::sigaction(SIGSEGV, &action, nullptr);
    DoorbellWaiter waiter(page.doorbell, *page.wait_count);
    const auto begin = steady_clock::now();
    if (waiter.sleep_until(begin + seconds(2)) != DoorbellOutcome::rang) return "not seen";
    if (page.wait_count->load() != 1) return "the page never faulted";
    return steady_clock::now() - begin < seconds(2) ? "" : "slept through it";
  });
  EXPECT_EQ(worker.result(), "");
}

/// Publishes to sleeping workers, again and again at the moment when they are about to sleep, and
/// returns how long the slowest round took: a lost wake-up costs a whole kLongestSleepNanoseconds.
class DoorbellConditionUnderLoad : public DoorbellConditionAcrossProcesses,
                                   public ::testing::WithParamInterface<int> {
 protected:
  std::chrono::nanoseconds slowest_round(std::uint64_t rounds) {
    std::chrono::nanoseconds slowest{0};
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      const auto begin = steady_clock::now();
      notifier_.publish();
      notifier_.publish();
      while (guest_.taken.load() < 2 * round && steady_clock::now() - begin < seconds(30)) {
        std::this_thread::yield();
      }
      slowest = std::max<std::chrono::nanoseconds>(slowest, steady_clock::now() - begin);
    }
    return slowest;
  }
};

TEST_P(DoorbellConditionUnderLoad, R28_loses_no_wake_up) {
  constexpr std::uint64_t kRounds = 3'000;
  std::vector<std::unique_ptr<test::ChildProcess>> workers;
  for (int i = 0; i < GetParam(); ++i) {
    const std::chrono::nanoseconds spin(i * 1'000);
    workers.push_back(std::make_unique<test::ChildProcess>(
        [this, spin] { return work_until(2 * kRounds, spin); }));
  }
  EXPECT_LT(slowest_round(kRounds), std::chrono::nanoseconds(kLongestSleepNanoseconds));
  for (const auto& worker : workers) EXPECT_EQ(worker->result(), "");
  EXPECT_GT(notifier_.wakes(), 0);
}

INSTANTIATE_TEST_SUITE_P(Workers, DoorbellConditionUnderLoad, ::testing::Values(1, 3));

TEST_F(DoorbellConditionAcrossProcesses, R28_a_busy_guest_costs_no_system_call) {
  for (int i = 0; i < 100; ++i) notifier_.publish();
  EXPECT_EQ(notifier_.wakes(), 0);
}

TEST_F(DoorbellConditionAcrossProcesses, R28_a_signal_handler_ends_a_wait_without_predicate) {
  test::Signal ready;
  test::ChildProcess worker([&]() -> std::string {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    ready.send();
    DoorbellWaiter waiter(seen_.doorbell, guest_.wait_count);
    const DoorbellOutcome outcome = waiter.sleep_until(SteadyTime::max());
    return outcome == DoorbellOutcome::interrupted ? "" : "another outcome";
  });
  ASSERT_TRUE(ready.wait());
  ASSERT_TRUE(worker.wait_until_asleep());
  EXPECT_TRUE(test::send_signal(worker.pid(), SIGUSR1));
  EXPECT_EQ(worker.result(), "");
}

TEST_F(DoorbellConditionAcrossProcesses, R28_deadlines_pass_with_the_lock_held_again) {
  DoorbellCondition condition(seen_.doorbell, guest_.wait_count, std::chrono::microseconds(50));
  Lock lock(guest_.mutex);
  const auto begin = steady_clock::now();
  EXPECT_FALSE(condition.timed_wait(lock, begin + milliseconds(10)));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(10));
  EXPECT_TRUE(lock.owns());
  EXPECT_FALSE(condition.timed_wait(lock, begin));
  EXPECT_FALSE(condition.timed_wait(lock, SteadyTime{}));
  const auto utc = boost::posix_time::microsec_clock::universal_time();
  EXPECT_FALSE(condition.timed_wait(lock, utc + boost::posix_time::milliseconds(5)));
  EXPECT_FALSE(condition.timed_wait(lock, utc, [] { return false; }));
  EXPECT_TRUE(condition.timed_wait(lock, utc, [] { return true; }));
}

TEST_F(DoorbellConditionAcrossProcesses, R28_waiting_without_the_lock_is_refused) {
  DoorbellCondition condition(seen_.doorbell, guest_.wait_count);
  Lock lock(guest_.mutex, boost::interprocess::defer_lock);
  EXPECT_THROW(condition.wait(lock), boost::interprocess::lock_exception);
}

TEST(DoorbellCondition, works_with_the_standard_locks_and_threads) {
  std::mutex mutex;
  std::atomic<std::uint32_t> doorbell{0};
  std::atomic<std::uint32_t> wait_count{0};
  std::atomic<bool> ready{false};
  std::thread notifier([&] {
    while (wait_count.load() == 0) std::this_thread::yield();
    ready = true;
    doorbell.fetch_add(1);
    futex_wake(doorbell, 64);
  });
  std::unique_lock<std::mutex> lock(mutex);
  DoorbellCondition condition(doorbell, wait_count);
  condition.wait(lock, [&] { return ready.load(); });
  EXPECT_TRUE(lock.owns_lock());
  notifier.join();
}

TEST(DoorbellCondition, a_ring_ends_the_spinning_without_a_registration) {
  std::atomic<std::uint32_t> doorbell{0};
  std::atomic<std::uint32_t> wait_count{0};
  DoorbellWaiter waiter(doorbell, wait_count, hours(1));
  std::thread notifier([&] { doorbell.fetch_add(1); });
  EXPECT_EQ(waiter.sleep_until(SteadyTime::max()), DoorbellOutcome::rang);
  EXPECT_EQ(wait_count.load(), 0u);
  notifier.join();
}

}  // namespace
}  // namespace fairlead::shm
