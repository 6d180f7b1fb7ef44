// Waiting, asleep and by descriptor.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <new>
#include <set>
#include <thread>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using Clock = std::chrono::steady_clock;

/// Starts `subscription.wait(30 s)` and returns once it is registered as a sleeper.
std::future<WaitOutcome> sleep_in_thread(Subscribed& attached) {
  const std::uint32_t before = attached.route().cursors().wait_count.load();
  auto waited = std::async(std::launch::async,
                           [&attached] { return attached.subscription.wait(seconds(30)); });
  while (attached.route().cursors().wait_count.load() == before) std::this_thread::yield();
  return waited;
}

TEST(Wait, R28_looks_once_when_no_time_is_given) {
  Subscribed attached;
  EXPECT_EQ(attached.subscription.wait(seconds(0)), WaitOutcome::timeout);
  EXPECT_EQ(attached.subscription.wait(std::chrono::nanoseconds::min()), WaitOutcome::timeout);
  attached.route().publish("p", "a.b", "x");
  EXPECT_EQ(attached.subscription.wait(seconds(0)), WaitOutcome::ready);
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::ready);
}

TEST(Wait, R28_ends_when_the_time_has_passed_and_not_before) {
  Subscribed attached;
  const auto begin = Clock::now();
  EXPECT_EQ(attached.subscription.wait(milliseconds(30)), WaitOutcome::timeout);
  EXPECT_GE(Clock::now() - begin, milliseconds(30));
}

TEST(Wait, R28_a_time_out_longer_than_single_sleeps) {
  Subscribed attached(
      {.waiting = {.spin = std::chrono::nanoseconds(0), .longest_sleep = milliseconds(5)}});
  const auto begin = Clock::now();
  EXPECT_EQ(attached.subscription.wait(milliseconds(30)), WaitOutcome::timeout);
  EXPECT_GE(Clock::now() - begin, milliseconds(30));
}

TEST(Wait, R28_a_publish_wakes_a_thread_that_sleeps) {
  Subscribed attached;
  auto waited = sleep_in_thread(attached);
  attached.route().publish("p", "a.b", "x");
  EXPECT_EQ(waited.get(), WaitOutcome::ready);
}

TEST(Wait, R28_a_closed_route_wakes_a_thread_that_sleeps) {
  Subscribed attached;
  auto waited = sleep_in_thread(attached);
  attached.route().close();
  EXPECT_EQ(waited.get(), WaitOutcome::closed);
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::closed);
}

TEST(Wait, a_poisoned_route_wakes_a_thread_that_sleeps) {
  Subscribed attached;
  auto waited = sleep_in_thread(attached);
  attached.route().close(shm::RouteState::poisoned);
  EXPECT_EQ(waited.get(), WaitOutcome::poisoned);
}

TEST(Wait, a_closed_route_with_messages_is_ready_until_they_are_taken) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  attached.route().close();
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::ready);
  EXPECT_EQ(attached.subscription.drain().size(), 1U);
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::closed);
}

TEST(Wait, a_closed_route_is_ready_until_its_last_message_is_taken) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  attached.route().publish("p", "a.b", "y");
  EXPECT_EQ(attached.subscription.take().size(), 1U);
  attached.route().close();
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::ready);
}

TEST(Wait, a_broker_that_died_is_noticed_after_the_longest_sleep) {
  Subscribed attached({.waiting = {.longest_sleep = milliseconds(5)}});
  auto waited = sleep_in_thread(attached);
  attached.broker.hang_up();
  EXPECT_EQ(waited.get(), WaitOutcome::disconnected);
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::disconnected);
  EXPECT_FALSE(attached.guest.connected());
}

TEST(Wait, a_broker_that_died_while_it_counted_a_loss_is_noticed) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  attached.route().evict("p");
  attached.route().end_lane("p");
  attached.route().writer().header().snapshot.fetch_or(1);
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::empty);
  attached.broker.hang_up();
  EXPECT_EQ(attached.subscription.wait(seconds(30)), WaitOutcome::disconnected);
}

TEST(Wait, what_a_dead_broker_left_is_ready) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  attached.broker.hang_up();
  EXPECT_EQ(attached.subscription.wait(), WaitOutcome::ready);
}

TEST(Wait, a_signal_handler_interrupts) {
  struct sigaction action {};
  struct sigaction old {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &old), 0);
  Subscribed attached;
  std::atomic<bool> done{false};
  WaitOutcome outcome = WaitOutcome::ready;
  std::thread waiter([&] {
    outcome = attached.subscription.wait(seconds(30));
    done = true;
  });
  while (!done) {
    ::pthread_kill(waiter.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  waiter.join();
  ::sigaction(SIGUSR1, &old, nullptr);
  EXPECT_EQ(outcome, WaitOutcome::interrupted);
}

TEST(Wait, a_destroyed_mutex_is_corrupt) {
  if (kMutexesAreWatched) GTEST_SKIP();
  Subscribed attached;
  std::memset(static_cast<void*>(&attached.route().cursors().mutex), 0xff,
              sizeof attached.route().cursors().mutex);
  EXPECT_EQ(attached.subscription.wait(seconds(1)), WaitOutcome::corrupt);
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::corrupt);
}

TEST(Wait, every_outcome_has_a_name) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(WaitOutcome::corrupt); ++i) {
    names.insert(to_string(static_cast<WaitOutcome>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(WaitOutcome::corrupt) + 1);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_EQ(to_string(static_cast<WaitOutcome>(99)), "unknown");
}

// ---- by descriptor -----------------------------------------------------------------------------

bool readable(int descriptor, int milliseconds) {
  pollfd entry{descriptor, POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) == 1 && (entry.revents & POLLIN) != 0;
}

TEST(Descriptor, R28_is_readable_from_a_publish_until_the_route_is_empty) {
  Subscribed attached({.descriptor = true});
  const int descriptor = attached.subscription.descriptor();
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(attached.subscription.drain().outcome(), DrainOutcome::empty);
  EXPECT_FALSE(readable(descriptor, 0));
  attached.route().publish("p", "a.b", "x");
  attached.route().publish("p", "a.b", "y");
  EXPECT_TRUE(readable(descriptor, 30'000));
  EXPECT_EQ(attached.subscription.take().size(), 1U);
  EXPECT_TRUE(readable(descriptor, 0));
  EXPECT_EQ(attached.subscription.take().size(), 1U);
  EXPECT_EQ(attached.subscription.take().outcome(), DrainOutcome::empty);
  EXPECT_FALSE(readable(descriptor, 0));
}

TEST(Descriptor, one_signal_is_sent_for_each_time_it_is_armed) {
  Subscribed attached({.descriptor = true});
  ASSERT_EQ(attached.subscription.drain().outcome(), DrainOutcome::empty);
  for (int i = 0; i < 1'000; ++i) attached.route().publish("p", "a.b", "x");
  char bytes[16];
  EXPECT_EQ(::recv(attached.subscription.descriptor(), bytes, sizeof bytes, MSG_PEEK), 1);
}

TEST(Descriptor, tells_of_the_end_of_the_route_and_of_the_broker) {
  Subscribed closed({.descriptor = true});
  ASSERT_EQ(closed.subscription.drain().outcome(), DrainOutcome::empty);
  closed.route().close();
  EXPECT_TRUE(readable(closed.subscription.descriptor(), 30'000));
  EXPECT_EQ(closed.subscription.drain().outcome(), DrainOutcome::closed);

  Subscribed gone({.descriptor = true});
  ASSERT_EQ(gone.subscription.drain().outcome(), DrainOutcome::empty);
  gone.broker.hang_up();
  EXPECT_TRUE(readable(gone.subscription.descriptor(), 30'000));
  EXPECT_EQ(gone.subscription.drain().outcome(), DrainOutcome::disconnected);
}

/// Each message is published the moment that the worker has counted the one before, which is when
/// it finds nothing and goes to sleep: a wake-up that is missed is missed for good.
void publish_one_by_one(FakeRoute& route, const std::atomic<std::uint64_t>& taken,
                        std::uint64_t messages) {
  for (std::uint64_t published = 0; published < messages; ++published) {
    ASSERT_TRUE(route.publish_patiently("p", "a.b", "x"));
    const auto deadline = Clock::now() + seconds(30);
    while (taken.load() == published) {
      ASSERT_LT(Clock::now(), deadline) << "after " << published;
      std::this_thread::yield();
    }
  }
}

/// One number that two processes see.
class SharedCount {
 public:
  SharedCount()
      : count_(new (::mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Count(0)) {}
  ~SharedCount() { ::munmap(static_cast<void*>(count_), sizeof(Count)); }
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  std::atomic<std::uint64_t>& operator*() noexcept { return *count_; }

 private:
  using Count = std::atomic<std::uint64_t>;
  Count* count_;
};

constexpr std::uint64_t kNaps = 10'000;

/// What a program with an event loop does.
std::string poll_and_drain(SharedRoute shared, std::atomic<std::uint64_t>& taken) {
  auto subscription = Subscription::from_descriptors(std::move(shared));
  while (taken < kNaps) {
    const Batch batch = subscription.drain(64);
    taken += batch.size();
    if (batch.outcome() == DrainOutcome::messages) continue;
    if (batch.outcome() != DrainOutcome::empty) return std::string(to_string(batch.outcome()));
    if (taken < kNaps && !readable(subscription.descriptor(), 10'000)) {
      return "missed a wake-up after " + std::to_string(taken);
    }
  }
  return "";
}

TEST(Descriptor, R28_never_misses_a_wake_up_of_a_publisher_in_another_process) {
  Subscribed attached({.descriptor = true});
  SharedCount taken;
  SharedRoute shared = attached.subscription.share();
  test::ChildProcess worker([&] { return poll_and_drain(std::move(shared), *taken); });
  publish_one_by_one(attached.route(), *taken, kNaps);
  EXPECT_EQ(worker.result(), "");
}

std::string wait_and_drain(SharedRoute shared, std::atomic<std::uint64_t>& taken) {
  auto subscription = Subscription::from_descriptors(
      std::move(shared), {.spin = std::chrono::nanoseconds(0), .longest_sleep = seconds(60)});
  while (taken < kNaps) {
    taken += subscription.drain(64).size();
    if (taken == kNaps) break;
    // The doorbell's own five seconds would hide a wake-up that was missed.
    const auto begin = Clock::now();
    const WaitOutcome waited = subscription.wait(seconds(20));
    if (waited != WaitOutcome::ready) return std::string(to_string(waited));
    if (Clock::now() - begin > seconds(4)) return "missed a wake-up";
  }
  return "";
}

TEST(Wait, R28_never_misses_a_wake_up_of_a_publisher_in_another_process) {
  Subscribed attached;
  SharedCount taken;
  SharedRoute shared = attached.subscription.share();
  test::ChildProcess worker([&] { return wait_and_drain(std::move(shared), *taken); });
  publish_one_by_one(attached.route(), *taken, kNaps);
  EXPECT_EQ(worker.result(), "");
}

}  // namespace
}  // namespace fairlead::guest
