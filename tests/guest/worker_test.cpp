// R28: threads and worker processes that drain one route together, some of which die.
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <set>
#include <thread>

#include <fairlead/shm/route_reader.hpp>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"

extern char** environ;

namespace fairlead::guest {
namespace {

using test::ChildProcess;
using test::Signal;

/// How often each sequence number was taken, counted by all processes.
class Tally {
 public:
  explicit Tally(std::size_t messages)
      : messages_(messages),
        counts_(static_cast<std::atomic<std::uint8_t>*>(::mmap(
            nullptr, messages + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~Tally() { ::munmap(static_cast<void*>(counts_), messages_ + 1); }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void add(const Batch& batch) noexcept {
    for (const Message& message : batch) counts_[message.sequence()].fetch_add(1);
  }
  [[nodiscard]] std::size_t taken(std::uint8_t times) const {
    std::size_t found = 0;
    for (std::size_t i = 1; i <= messages_; ++i) found += counts_[i].load() == times ? 1 : 0;
    return found;
  }

 private:
  std::size_t messages_;
  std::atomic<std::uint8_t>* counts_;
};

std::string drain_until_closed(Subscription& subscription, Tally& tally) {
  for (;;) {
    const Batch batch = subscription.drain(512);
    tally.add(batch);
    if (batch.outcome() == DrainOutcome::messages) continue;
    if (batch.outcome() == DrainOutcome::closed) return "";
    if (batch.outcome() != DrainOutcome::empty) return std::string(to_string(batch.outcome()));
    const WaitOutcome waited = subscription.wait(seconds(20));
    if (waited != WaitOutcome::ready && waited != WaitOutcome::closed) {
      return std::string(to_string(waited));
    }
  }
}

void publish_all(FakeRoute& route, std::size_t messages) {
  for (std::size_t i = 0; i < messages; ++i) {
    ASSERT_TRUE(
        route.publish_patiently("p" + std::to_string(i % 7), "a.b", std::string(i % 300, 'x')));
  }
}

TEST(Workers, R28_threads_take_every_message_once) {
  constexpr std::size_t kMessages = 20'000;
  Subscribed attached;
  Tally tally(kMessages);
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (auto& result : results) {
    threads.emplace_back([&] { result = drain_until_closed(attached.subscription, tally); });
  }
  publish_all(attached.route(), kMessages);
  attached.route().close();
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, "");
  EXPECT_EQ(tally.taken(1), kMessages);
}

TEST(Workers, R28_processes_take_every_message_once) {
  constexpr std::size_t kMessages = 20'000;
  Subscribed attached;
  Tally tally(kMessages);
  std::vector<std::unique_ptr<ChildProcess>> workers;
  for (int i = 0; i < 3; ++i) {
    SharedRoute shared = attached.subscription.share();
    workers.push_back(std::make_unique<ChildProcess>([&tally, &shared] {
      auto subscription = Subscription::from_descriptors(std::move(shared));
      return drain_until_closed(subscription, tally);
    }));
  }
  publish_all(attached.route(), kMessages);
  attached.route().close();
  for (auto& worker : workers) EXPECT_EQ(worker->result(), "");
  EXPECT_EQ(tally.taken(1), kMessages);
}

/// Holds the drain mutex until it is killed.
std::string hold_mutex(const SharedRoute& shared, Signal& held) {
  const auto map = [](int descriptor, std::uint64_t bytes, int protection) {
    return static_cast<std::byte*>(::mmap(nullptr, bytes, protection, MAP_SHARED, descriptor, 0));
  };
  shm::RouteReader reader(
      {map(shared.route.get(), shared.route_segment_bytes, PROT_READ), shared.route_segment_bytes},
      {map(shared.cursors.get(), shared.cursor_segment_bytes, PROT_READ | PROT_WRITE),
       shared.cursor_segment_bytes},
      shared.lane_capacity);
  if (reader.mutex().lock_reporting() == shm::LockOutcome::failed) return "not locked";
  held.send();
  for (;;) ::pause();
}

TEST(Workers, R28_one_that_is_killed_with_the_mutex_costs_the_others_nothing) {
  if (kMutexesAreWatched) GTEST_SKIP();
  Subscribed attached;
  for (int round = 0; round < 3; ++round) {
    attached.route().publish("p", "a.b", "before");
    const SharedRoute shared = attached.subscription.share();
    Signal held;
    ChildProcess worker([&] { return hold_mutex(shared, held); });
    ASSERT_TRUE(held.wait());
    attached.route().publish("q", "a.b", "while");
    EXPECT_EQ(attached.subscription.wait(milliseconds(1)), WaitOutcome::timeout);
    worker.kill();
    EXPECT_EQ(attached.subscription.wait(seconds(20)), WaitOutcome::ready);
    const Batch batch = attached.subscription.drain();
    EXPECT_EQ(texts(batch), (std::vector<std::string>{"before", "while"}));
    attached.route().publish("p", "a.b", "after");
    EXPECT_EQ(texts(attached.subscription.drain()), std::vector<std::string>{"after"});
    EXPECT_EQ(attached.subscription.wait(seconds(0)), WaitOutcome::timeout);
  }
}

TEST(Workers, R28_what_a_killed_worker_held_is_given_back_by_the_others) {
  FakeBroker broker;
  broker.set_route_options({.cap_bytes = 256 * 1024});
  Guest guest = attach_to(broker);
  Subscription subscription = guest.subscribe("a.*");
  for (int i = 0; i < 2; ++i) broker.route(0).publish("p", "a.b", std::string(1'000, 'x'));
  SharedRoute shared = subscription.share();
  Signal held;
  ChildProcess worker([&]() -> std::string {
    auto worker_subscription = Subscription::from_descriptors(std::move(shared));
    const Batch batch = worker_subscription.take();
    const Batch other = worker_subscription.take();
    const auto kept = worker_subscription.keep(other.front());
    if (!kept) return "nothing kept";
    held.send();
    for (;;) ::pause();
  });
  ASSERT_TRUE(held.wait());
  worker.kill();
  // Without the dead worker's batch the segment never runs full.
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_NE(broker.route(0).publish("p", "a.b", std::string(1'000, 'x')), 0U) << i;
    ASSERT_EQ(subscription.drain().size(), 1U);
  }
  const auto& cursors = broker.route(0).cursors();
  for (const auto& hold : cursors.holds) EXPECT_EQ(hold.load(), 0U);
}

TEST(Workers, R28_one_that_sleeps_beside_a_dead_holder_gives_its_slots_back) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  SharedRoute shared = attached.subscription.share();
  Signal held;
  ChildProcess worker([&]() -> std::string {
    auto subscription = Subscription::from_descriptors(std::move(shared));
    const Batch batch = subscription.take();
    held.send();
    for (;;) ::pause();
  });
  ASSERT_TRUE(held.wait());
  const auto& tickets = attached.route().cursors().tickets;
  EXPECT_NE(tickets[0].batch.load(), 0U);
  EXPECT_EQ(attached.subscription.wait(milliseconds(1)), WaitOutcome::timeout);
  EXPECT_NE(tickets[0].batch.load(), 0U);  // alive: its batch is its own
  worker.kill();
  EXPECT_EQ(attached.subscription.wait(milliseconds(1)), WaitOutcome::timeout);
  EXPECT_EQ(tickets[0].batch.load(), 0U);
}

TEST(Workers, R28_killed_at_any_moment_they_take_no_message_twice_and_the_others_carry_on) {
  if (kMutexesAreWatched) GTEST_SKIP();
  constexpr std::size_t kMessages = 30'000;
  constexpr int kVictims = 15;
  Subscribed attached;
  Tally tally(kMessages);
  SharedRoute for_survivor = attached.subscription.share();
  ChildProcess survivor([&] {
    auto subscription = Subscription::from_descriptors(std::move(for_survivor));
    return drain_until_closed(subscription, tally);
  });
  std::size_t published = 0;
  for (int i = 0; i < kVictims; ++i) {
    SharedRoute shared = attached.subscription.share();
    ChildProcess victim([&] {
      auto subscription = Subscription::from_descriptors(std::move(shared));
      return drain_until_closed(subscription, tally);
    });
    const std::size_t until = published + kMessages / kVictims;
    for (; published < until; ++published) {
      ASSERT_TRUE(attached.route().publish_patiently("p", "a.b", "x"));
      if (published == until - 1 - static_cast<std::size_t>(i) * 7) victim.kill();
    }
  }
  for (; published < kMessages; ++published) {
    ASSERT_TRUE(attached.route().publish_patiently("p", "a.b", "x"));
  }
  attached.route().close();
  EXPECT_EQ(survivor.result(), "");
  const std::size_t once = tally.taken(1);
  const std::size_t never = tally.taken(0);
  EXPECT_EQ(once + never, kMessages);  // nothing twice
  // Only what a victim had claimed and not counted yet is gone: a batch each, 128 messages at most.
  EXPECT_LE(never, static_cast<std::size_t>(kVictims) * 128);
}

// ---- handing a route on ------------------------------------------------------------------------

TEST(Workers, R28_a_route_is_handed_to_a_program_by_one_word) {
  Subscribed attached({.descriptor = true});
  attached.route().publish("p", "a.b", "hello");
  const SharedRoute shared = attached.subscription.share();
  const std::string word = shared.let_children_inherit();
  const std::string program = FAIRLEAD_HELPERS_DIR "/drain_shared_route";
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(word.c_str()),
                             nullptr};
  pid_t child = -1;
  ASSERT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::empty);  // the child has it
}

TEST(Workers, a_word_that_is_none_says_so) {
  for (const char* word : {"", "1", "1:2:3", "x:y:z:1:1:1:1:1:1:1", "1:2:3:4:5:6:7:8:9:10:11"}) {
    expect_error(ErrorCode::invalid_argument, [&] { (void)SharedRoute::from_text(word); });
  }
  const auto sentence = expect_error(ErrorCode::invalid_argument, [] {
    (void)SharedRoute::from_text("987:988:-1:989:65536:65536:1:64:256:1");
  });
  EXPECT_NE(sentence.find("987"), std::string::npos);
}

TEST(Workers, share_the_checks_of_a_subscription) {
  Subscribed attached;
  SharedRoute shared = attached.subscription.share();
  shared.lane_capacity = 1U << 20;
  expect_error(ErrorCode::corrupt,
               [&] { (void)Subscription::from_descriptors(std::move(shared)); });
}

TEST(Workers, see_that_the_broker_is_gone_without_a_connection_of_their_own) {
  Subscribed attached;
  auto worker = Subscription::from_descriptors(attached.subscription.share());
  EXPECT_EQ(worker.wait(seconds(0)), WaitOutcome::timeout);
  attached.broker.hang_up();
  EXPECT_EQ(worker.wait(seconds(30)), WaitOutcome::disconnected);
  EXPECT_EQ(worker.drain().outcome(), DrainOutcome::disconnected);
  EXPECT_FALSE(worker.end());
}

}  // namespace
}  // namespace fairlead::guest
