// The end of a route whose guest still reads in it, with a real broker: nobody gets SIGBUS, and
// memory and quota come back once the last reader has let go.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::guest {
namespace {

using test::ChildProcess;
using test::Signal;
using test::TestBroker;

// One route at a time, so that a test sees when the memory of one is given back.
std::string one_route() {
  return R"(
[[principal]]
name = "alice"
uid = )" +
         std::to_string(::geteuid()) + R"(
publish = ["*"]
subscribe = ["*"]
admission = "all"
[principal.quota]
routes = 1
)";
}

class EndOfRoute : public testing::TestWithParam<Backing> {
 protected:
  EndOfRoute() : guest_(attach()) {}

  Guest attach() {
    AttachOptions options;
    options.socket_path = broker_.socket_path();
    return Guest::attach(std::move(options));
  }
  Subscription subscribe() {
    SubscribeOptions options;
    options.backing = GetParam();
    return guest_.subscribe("a", options);
  }
  void publish(std::string_view principal, std::string_view payload) {
    ASSERT_EQ(broker_->publish(principal, "a", payload).taken, 1U);
  }
  /// All that was said to the broker before has been heard.
  void settle() { guest_.open_gate(); }

  /// Whether the broker has taken the memory back: `shared` maps nothing.
  static bool truncated(const SharedRoute& shared) {
    struct stat file {};
    EXPECT_EQ(::fstat(shared.route.get(), &file), 0);
    return static_cast<std::uint64_t>(file.st_size) <= shm::kRouteArenaOffset;
  }
  // A sealed segment keeps its size, and only a named one keeps its route's place in the quota.
  void expect_memory_is_kept(const SharedRoute& shared) {
    settle();
    EXPECT_FALSE(truncated(shared));
    if (GetParam() == Backing::named) {
      expect_error(ErrorCode::quota_exceeded, [this] { (void)subscribe(); });
    }
  }
  void expect_memory_is_back(const SharedRoute& shared) {
    settle();
    EXPECT_EQ(truncated(shared), GetParam() == Backing::named);
    (void)subscribe();
  }

  TestBroker broker_{{.policy = one_route(), .listening = true}};
  Guest guest_;
  const std::string large_ = std::string(200'000, 'x');
};

TEST_P(EndOfRoute, R22_what_is_held_stays_readable_until_it_is_let_go) {
  std::optional<Subscription> subscription = subscribe();
  const SharedRoute shared = subscription->share();
  for (const char* principal : {"p", "q", "r"}) publish(principal, large_);
  Batch batch = subscription->take();
  std::optional<Kept> kept = subscription->keep(subscription->take().front());
  ASSERT_TRUE(kept);

  guest_.unsubscribe(*subscription);
  expect_memory_is_kept(shared);
  EXPECT_EQ(texts(subscription->take()), std::vector{large_}) << "what was queued is still there";
  EXPECT_EQ(subscription->take().outcome(), DrainOutcome::closed);
  EXPECT_EQ(subscription->wait(seconds(10)), WaitOutcome::closed);
  subscription.reset();
  EXPECT_EQ(texts(batch), std::vector{large_});
  batch.release();
  expect_memory_is_kept(shared);
  EXPECT_EQ((*kept)->text(), large_);
  kept.reset();
  expect_memory_is_back(shared);
}

TEST_P(EndOfRoute, R22_a_dropped_subscription_leaves_what_is_held_alone) {
  std::optional<Subscription> subscription = subscribe();
  const SharedRoute shared = subscription->share();
  publish("p", large_);
  Batch batch = subscription->take();
  subscription.reset();
  expect_memory_is_kept(shared);
  EXPECT_EQ(texts(batch), std::vector{large_});
  batch.release();
  expect_memory_is_back(shared);
}

TEST_P(EndOfRoute, a_subscription_that_is_handed_over_is_gone_at_once) {
  Subscription subscription = subscribe();
  const SharedRoute shared = subscription.share();
  publish("p", large_);
  guest_.unsubscribe(std::move(subscription));
  expect_memory_is_back(shared);
}

/// Takes until the route is closed; reads every byte.
int take_all(Subscription& subscription, std::atomic<int>& taken) {
  int wrong = 0;
  for (;;) {
    const Batch batch = subscription.drain(8'000);
    for (const Message& message : batch) {
      wrong += message.text() == std::string(message.text().size(), 'x') ? 0 : 1;
    }
    taken += static_cast<int>(batch.size());
    if (batch.outcome() == DrainOutcome::messages) continue;
    if (batch.outcome() == DrainOutcome::closed) return wrong;
    if (batch.outcome() != DrainOutcome::empty) return wrong + 1;
    (void)subscription.wait(seconds(10));
  }
}

TEST_P(EndOfRoute, R28_threads_that_drain_find_what_is_left_and_then_the_end) {
  constexpr int kRounds = 20;
  constexpr int kMessages = 300;
  for (int round = 0; round < kRounds; ++round) {
    Subscription subscription = subscribe();
    std::atomic<int> taken{0};
    std::array<int, 3> wrong{};
    std::array<std::thread, 3> threads;
    for (std::size_t i = 0; i < threads.size(); ++i) {
      threads[i] = std::thread([&, i] { wrong[i] = take_all(subscription, taken); });
    }
    for (int i = 0; i < kMessages; ++i) {
      publish("p" + std::to_string(i % 5), std::string(static_cast<std::size_t>(i) * 7, 'x'));
    }
    while (taken.load() < kMessages / 4 + round * 10) std::this_thread::yield();
    guest_.unsubscribe(subscription);
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, (std::array<int, 3>{}));
    EXPECT_EQ(taken.load(), kMessages);
  }
}

// ---- workers with mappings of their own --------------------------------------------------------

TEST_P(EndOfRoute, R28_the_last_worker_gives_the_memory_back) {
  std::optional<Subscription> subscription = subscribe();
  const SharedRoute shared = subscription->share();
  std::optional<Subscription> worker = Subscription::from_descriptors(subscription->share());
  for (const char* principal : {"p", "q"}) publish(principal, large_);
  subscription.reset();
  expect_memory_is_kept(shared);
  EXPECT_EQ(texts(worker->drain(1'000'000)), (std::vector{large_, large_}));
  EXPECT_EQ(worker->drain().outcome(), DrainOutcome::closed);
  worker.reset();
  expect_memory_is_back(shared);
}

TEST_P(EndOfRoute, R28_a_worker_that_leaves_first_says_nothing) {
  std::optional<Subscription> subscription = subscribe();
  const SharedRoute shared = subscription->share();
  std::optional<Subscription> worker = Subscription::from_descriptors(subscription->share());
  worker.reset();
  settle();
  publish("p", large_);
  EXPECT_EQ(texts(subscription->drain()), std::vector{large_});
  subscription.reset();
  expect_memory_is_back(shared);
}

TEST_P(EndOfRoute, R28_a_worker_process_is_not_hit_when_the_route_is_dropped) {
  std::optional<Subscription> subscription = subscribe();
  const SharedRoute shared = subscription->share();
  SharedRoute for_worker = subscription->share();
  Signal mapped;
  ChildProcess worker([&]() -> std::string {
    auto route = Subscription::from_descriptors(std::move(for_worker));
    mapped.send();
    std::atomic<int> taken{0};
    if (take_all(route, taken) != 0) return "read something wrong";
    return taken.load() == 300 ? "" : std::to_string(taken.load()) + " taken";
  });
  ASSERT_TRUE(mapped.wait());
  for (int i = 0; i < 300; ++i) publish("p", std::string(2'000, 'x'));
  subscription.reset();
  EXPECT_EQ(worker.result(), "");
  expect_memory_is_back(shared);
}

TEST_P(EndOfRoute, R28_nobody_joins_once_the_last_has_left) {
  std::optional<Subscription> subscription = subscribe();
  SharedRoute late = subscription->share();
  subscription.reset();
  settle();
  const auto sentence = expect_error(
      ErrorCode::not_found, [&] { (void)Subscription::from_descriptors(std::move(late)); });
  EXPECT_NE(sentence.find("has ended"), std::string::npos) << sentence;
}

INSTANTIATE_TEST_SUITE_P(Guest, EndOfRoute, testing::Values(Backing::named, Backing::sealed),
                         [](const auto& instance) {
                           return instance.param == Backing::named ? "named" : "sealed";
                         });

}  // namespace
}  // namespace fairlead::guest
