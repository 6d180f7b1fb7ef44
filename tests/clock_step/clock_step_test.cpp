// The wall clock is stepped by a year, forth and back, in the middle of everything that takes time.
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <gtest/gtest.h>

#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/drain_mutex.hpp>

#include "dump/machine_reader.hpp"
#include "support/test_broker.hpp"
#include "wall_clock.hpp"

namespace fairlead::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kShort{300};

constexpr std::string_view kPolicy = R"(
[broker]
attach_deadline_ms = 60000
[[principal]]
name = "alice"
minted = true
uid = "self"
publish = ["*"]
subscribe = ["*"]
admission = "all"
[[principal]]
name = "limited"
minted = true
publish = ["*"]
subscribe = ["*"]
publish_rate_bytes_per_second = 1
publish_burst_bytes = 100
)";

class ClockStep : public testing::TestWithParam<int> {
 protected:
  ~ClockStep() override { set_wall_clock(seconds(0)); }
  static seconds step() { return GetParam() * kYear; }

  guest::Guest attach(const std::string& principal) {
    guest::AttachOptions options;
    options.descriptor = broker_->connect(principal);
    return guest::Guest::attach(std::move(options));
  }

  // How long it takes while the clock is stepped in the middle of it.
  static steady_clock::duration time_over_a_step(const std::function<void()>& call) {
    std::atomic<bool> begun = false;
    std::thread stepper([&] {
      while (!begun) std::this_thread::yield();
      std::this_thread::sleep_for(kShort / 3);  // not to order anything: either order must do
      set_wall_clock(step());
    });
    begun = true;
    const auto start = steady_clock::now();
    call();
    const auto taken = steady_clock::now() - start;
    stepper.join();
    return taken;
  }
  static void expect_about(steady_clock::duration taken, milliseconds wanted) {
    EXPECT_GE(taken, wanted);
    EXPECT_LT(taken, wanted + seconds(20));
  }

  TestBroker broker_{{.policy = std::string(kPolicy), .listening = true}};
};

TEST_P(ClockStep, a_wait_takes_as_long_as_it_was_to_take) {
  guest::Guest guest = attach("alice");
  auto route = guest.subscribe("t");
  auto outcome = guest::WaitOutcome::corrupt;
  expect_about(time_over_a_step([&] { outcome = route.wait(kShort); }), kShort);
  EXPECT_EQ(outcome, guest::WaitOutcome::timeout);
  // And a later one is woken.
  std::thread waiter([&] { outcome = route.wait(seconds(60)); });
  EXPECT_EQ(broker_->publish("bob", "t", "x").taken, 1U);
  waiter.join();
  EXPECT_EQ(outcome, guest::WaitOutcome::ready);
}

TEST_P(ClockStep, a_publisher_is_held_back_as_long_as_it_wished) {
  guest::Guest guest = attach("alice");
  guest::SubscribeOptions options;
  options.eviction = shm::EvictionPolicy::reject;
  options.budget_bytes = 4'096;
  auto route = guest.subscribe("t", options);
  auto publisher = guest.publisher();
  ASSERT_EQ(publisher.publish("t", std::string(4'000, 'x')).taken, 1U);
  guest::PublishOutcome outcome;
  const auto publish = [&] {
    outcome = publisher.publish("t", std::string(4'000, 'y'), {.block_for = kShort});
  };
  expect_about(time_over_a_step(publish), kShort);
  EXPECT_EQ(outcome.status, guest::PublishStatus::acknowledged);
  EXPECT_EQ(outcome.refused, 1U);
}

TEST_P(ClockStep, a_lock_with_a_wall_clock_deadline_keeps_its_length) {
  shm::DrainMutex mutex;
  mutex.lock();
  bool locked = true;
  const auto lock = [&] {
    std::thread other([&] {
      const auto now = boost::posix_time::microsec_clock::universal_time();
      locked = mutex.timed_lock(now + boost::posix_time::milliseconds(kShort.count()));
    });
    other.join();
  };
  expect_about(time_over_a_step(lock), kShort - milliseconds(5));
  EXPECT_FALSE(locked);
  mutex.unlock();
}

TEST_P(ClockStep, nobody_runs_out_of_time_to_attach) {
  RawGuest slow(broker_.socket_path());
  ASSERT_TRUE(broker_.wait_until([](const auto& now) { return now.connections == 1; }));
  set_wall_clock(step());
  (void)attach("alice");  // the service thread has looked at its deadlines since
  EXPECT_EQ(slow.hello("alice").principal.view(), "alice");
  EXPECT_EQ(broker_->statistics().expired_deadlines, 0U);
}

TEST_P(ClockStep, R31_no_rate_is_renewed_by_it) {
  guest::Guest guest = attach("limited");
  auto publisher = guest.publisher();
  const std::string text(99, 'x');  // with its topic the whole burst
  EXPECT_EQ(publisher.publish("t", text).reason, shm::Refusal::none);
  EXPECT_EQ(publisher.publish("t", text).reason, shm::Refusal::rate_limited);
  set_wall_clock(step());
  EXPECT_EQ(publisher.publish("t", text).reason, shm::Refusal::rate_limited);
}

TEST_P(ClockStep, moves_what_is_shown_and_nothing_else) {
  guest::Guest guest = attach("alice");
  const auto before = shm::realtime_ns();
  set_wall_clock(step());
  auto route = guest.subscribe("t");
  EXPECT_EQ(broker_->publish("bob", "t", "x").taken, 1U);
  // As a dump after the clock was put right again.
  set_wall_clock(seconds(0));
  tools::dump::MachineOptions options;
  options.broker = broker_.name();
  options.monotonic_now_ns = shm::monotonic_ns();
  options.realtime_now_ns = shm::realtime_ns();
  const auto machine = tools::dump::read_machine(options);
  ASSERT_EQ(machine.brokers.size(), 1U);
  EXPECT_EQ(machine.brokers[0].state, tools::dump::BrokerState::running);
  bool found = false;
  for (const auto& segment : machine.brokers[0].segments) {
    EXPECT_EQ(segment.verdict, tools::dump::Verdict::ok);
    if (segment.route() == nullptr) continue;
    found = true;
    const auto shift = static_cast<std::int64_t>(segment.created_realtime_ns - before);
    EXPECT_NEAR(static_cast<double>(shift) / 1e9, static_cast<double>(step().count()), 60);
    EXPECT_EQ(segment.route()->messages.queued, 1U);
  }
  EXPECT_TRUE(found);
}

INSTANTIATE_TEST_SUITE_P(ByAYear, ClockStep, testing::Values(1, -1),
                         [](const auto& each) { return each.param > 0 ? "forth" : "back"; });

TEST(DataPath, does_not_read_the_wall_clock) {
  TestBroker broker;
  guest::AttachOptions wish;
  wish.descriptor = broker->connect("alice");
  guest::Guest guest = guest::Guest::attach(std::move(wish));
  auto route = guest.subscribe("t", {.budget_bytes = 64 * 1'024});
  auto publisher = guest.publisher();
  (void)publisher.publish("t", "the first has its lane made");
  const std::uint64_t before = wall_clock_readings();
  for (int round = 0; round < 500; ++round) {
    ASSERT_TRUE(publisher.publish("t", "from a guest").complete());
    ASSERT_EQ(broker->publish("bob", "t", "from the host").taken, 1U);
    if (round % 10 == 0) {
      while (route.drain().outcome() == guest::DrainOutcome::messages) {
      }
    }
    (void)route.wait(std::chrono::microseconds(1));
  }
  EXPECT_EQ(wall_clock_readings(), before);
  (void)shm::realtime_ns();
  EXPECT_EQ(wall_clock_readings(), before + 1) << "they are counted";
}

}  // namespace
}  // namespace fairlead::test
