// R34, the reader's half: a route over several lives of its broker.
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "resume/lives.hpp"

namespace fairlead::guest {
namespace {

using Texts = std::vector<std::string>;

class ResumedRoute : public testing::Test {
 protected:
  explicit ResumedRoute(SubscribeOptions options = {.waiting = {.longest_sleep = milliseconds(5)}})
      : guest_(lives_.attach()), route_(guest_.subscribe("a.*", std::move(options))) {}

  FakeRoute& old() { return lives_.first().route(0); }
  std::uint64_t publish(FakeRoute& route, std::string_view text, std::string_view from = "p") {
    return route.publish(from, "a.b", text);
  }

  Lives lives_;
  Guest guest_;
  Subscription route_;
};

TEST_F(ResumedRoute, R34_is_empty_while_its_broker_is_away) {
  publish(old(), "before");
  lives_.die();
  EXPECT_EQ(texts(route_.drain()), Texts{"before"});
  EXPECT_EQ(route_.wait(milliseconds(20)), WaitOutcome::timeout);
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  EXPECT_EQ(route_.wait(seconds(0)), WaitOutcome::timeout);
  EXPECT_FALSE(guest_.connected());
  EXPECT_EQ(route_.state(), shm::RouteState::open);
  EXPECT_GT(lives_.attempts(), 1);
}

TEST_F(ResumedRoute, R34_gives_what_the_dead_broker_left_before_what_the_next_one_brings) {
  publish(old(), "1");
  publish(old(), "2");
  auto& next = lives_.restart();
  guest_.open_gate();  // any question comes back
  publish(next.route(), "3");
  EXPECT_EQ(drain_texts(route_, 3), (Texts{"1", "2", "3"}));
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  publish(next.route(), "4");
  EXPECT_EQ(drain_texts(route_, 1), Texts{"4"});
}

TEST_F(ResumedRoute, R34_waiting_comes_back_by_itself) {
  auto& next = lives_.restart();
  std::thread publisher([&] {
    ASSERT_TRUE(next.broker().wait_for(Kind::acknowledge, 1));
    publish(next.route(), "x");
  });
  EXPECT_EQ(route_.wait(seconds(30)), WaitOutcome::ready);
  publisher.join();
  EXPECT_EQ(texts(route_.drain()), Texts{"x"});
  EXPECT_TRUE(guest_.connected());
}

TEST_F(ResumedRoute, R34_draining_alone_comes_back_too) {
  auto& next = lives_.restart();
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (next.broker().count(Kind::acknowledge) == 0) {
    ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
}

TEST_F(ResumedRoute, R34_takes_nothing_out_of_a_segment_that_is_being_filled) {
  publish(old(), "1");
  auto& next = lives_.restart({.fills_at_once = false});
  guest_.open_gate();
  publish(next.route(), "2");
  EXPECT_EQ(texts(route_.drain()), Texts{"1"});
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  EXPECT_EQ(route_.wait(milliseconds(5)), WaitOutcome::timeout);
  EXPECT_EQ(route_.state(), shm::RouteState::open);
  std::thread opener([&] { next.open(); });
  EXPECT_EQ(route_.wait(seconds(30)), WaitOutcome::ready);
  opener.join();
  EXPECT_EQ(texts(route_.drain()), Texts{"2"});
}

TEST_F(ResumedRoute, R34_a_segment_that_was_complete_when_its_broker_died_is_drained) {
  publish(old(), "1");
  auto& second = lives_.restart({.fills_at_once = false});
  guest_.open_gate();
  publish(second.route(), "2");
  auto& third = lives_.restart({.claimed_epoch = Lives::kFirstEpoch + 1});
  guest_.open_gate();
  publish(third.route(), "3");
  EXPECT_EQ(drain_texts(route_, 3), (Texts{"1", "2", "3"}));
  EXPECT_EQ(route_.wait(seconds(0)), WaitOutcome::timeout);
}

TEST_F(ResumedRoute, R34_a_segment_that_was_half_filled_when_its_broker_died_is_dropped) {
  publish(old(), "1");
  auto& second = lives_.restart({.fills_at_once = false});
  guest_.open_gate();
  publish(second.route(), "half");
  EXPECT_EQ(texts(route_.drain()), Texts{"1"});
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  auto& third = lives_.restart({.claimed_epoch = Lives::kFirstEpoch});
  guest_.open_gate();
  publish(third.route(), "2");
  EXPECT_EQ(drain_texts(route_, 1), Texts{"2"});
}

TEST_F(ResumedRoute, R34_many_lives_one_after_the_other) {
  Texts expected;
  FakeRoute* present = &old();
  for (int life = 0; life < 20; ++life) {
    expected.push_back(std::to_string(life));
    publish(*present, expected.back());
    auto& next = lives_.restart();
    guest_.open_gate();
    present = &next.route();
  }
  EXPECT_EQ(drain_texts(route_, expected.size()), expected);
}

TEST_F(ResumedRoute, R34_a_lane_that_its_broker_had_not_activated_is_drained) {
  publish(old(), "1");
  ASSERT_EQ(route_.drain().size(), 1U);
  ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  publish(old(), "2");
  // As if it had been killed between the tail and the activation log.
  old().writer().header().activations.fetch_sub(1);
  auto& next = lives_.restart();
  guest_.open_gate();
  publish(next.route(), "3");
  EXPECT_EQ(drain_texts(route_, 2), (Texts{"2", "3"}));
}

TEST_F(ResumedRoute, R29_what_was_evicted_last_before_the_broker_died_is_told) {
  publish(old(), "lost");
  ASSERT_TRUE(old().evict("p"));  // its lane is not given back any more
  auto& next = lives_.restart();
  guest_.open_gate();
  publish(next.route(), "x");
  EndedLoss loss;
  Texts found;
  for (int call = 0; call < 10; ++call) {
    const Batch batch = route_.drain();
    loss.messages += batch.ended_loss().messages;
    loss.bytes += batch.ended_loss().bytes;
    for (auto& text : texts(batch)) found.push_back(text);
    if (loss.messages == 0) {
      EXPECT_EQ(found, Texts{});
    }
    (void)route_.wait(milliseconds(10));
  }
  EXPECT_EQ(loss.messages, 1U);
  EXPECT_EQ(loss.bytes, 7U);
  EXPECT_EQ(found, Texts{"x"});
}

TEST_F(ResumedRoute, R29_a_waiter_is_told_that_there_is_a_loss_to_be_told) {
  publish(old(), "lost");
  ASSERT_TRUE(old().evict("p"));
  ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  lives_.restart();
  EXPECT_EQ(route_.wait(seconds(30)), WaitOutcome::ready);
  EXPECT_EQ(route_.drain().ended_loss().messages, 1U);
  EXPECT_EQ(route_.wait(milliseconds(5)), WaitOutcome::timeout);
}

TEST_F(ResumedRoute, R22_what_is_held_outlives_its_broker_and_the_next) {
  publish(old(), "1");
  publish(old(), "2");
  Batch held = route_.take();
  Batch other = route_.take();
  for (int life = 0; life < 3; ++life) {
    auto& next = lives_.restart();
    guest_.open_gate();
    publish(next.route(), "new");
    ASSERT_EQ(drain_texts(route_, 1), Texts{"new"});
    EXPECT_EQ(next.broker().count(Kind::unsubscribe), 0U);
  }
  EXPECT_EQ(texts(held), Texts{"1"});
  const std::optional<Kept> kept = route_.keep(held.front());
  ASSERT_TRUE(kept);
  held.release();
  EXPECT_EQ((*kept)->text(), "1");
  EXPECT_EQ(texts(other), Texts{"2"});
}

TEST_F(ResumedRoute, the_end_of_an_old_mapping_says_nothing_to_the_next_broker) {
  publish(old(), "1");
  std::optional<Batch> held = route_.take();
  auto& next = lives_.restart();
  guest_.open_gate();
  publish(next.route(), "2");
  ASSERT_EQ(drain_texts(route_, 1), Texts{"2"});
  held.reset();
  guest_.open_gate();
  EXPECT_EQ(next.broker().count(Kind::unsubscribe), 0U);
}

TEST_F(ResumedRoute, old_mappings_are_given_back) {
  const auto maps = [] {
    std::ifstream file("/proc/self/maps");
    std::size_t found = 0;
    for (std::string line; std::getline(file, line);)
      found += line.find("fake-cursors") != std::string::npos;
    return found;
  };
  const std::size_t before = maps();
  // The fake brokers keep theirs, one more with each life; how long a guest takes is not the point.
  for (std::size_t life = 1; life <= 6; ++life) {
    lives_.restart();
    guest_.open_gate();
    for (int look = 0; look < 500 && maps() != before + life; ++look)
      ASSERT_EQ(route_.wait(milliseconds(20)), WaitOutcome::timeout);
    EXPECT_EQ(maps(), before + life) << life;
  }
}

TEST_F(ResumedRoute, R34_worker_processes_drain_what_the_dead_broker_left) {
  publish(old(), "1");
  Subscription worker = Subscription::from_descriptors(route_.share());
  lives_.restart();
  guest_.open_gate();
  EXPECT_EQ(texts(worker.drain()), Texts{"1"});
  EXPECT_EQ(worker.wait(seconds(30)), WaitOutcome::disconnected);
  EXPECT_EQ(worker.drain().outcome(), DrainOutcome::disconnected);
}

TEST_F(ResumedRoute, a_route_is_shared_anew) {
  auto& next = lives_.restart();
  guest_.open_gate();
  Subscription worker = Subscription::from_descriptors(route_.share());
  publish(next.route(), "x");
  EXPECT_EQ(texts(worker.drain()), Texts{"x"});
}

TEST_F(ResumedRoute, R34_threads_take_each_message_once_over_many_lives) {
  constexpr int kLives = 10;
  constexpr int kMessages = 300;
  std::mutex mutex;
  std::map<std::string, int> taken;
  std::atomic<int> count{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      while (count < kLives * kMessages) {
        const Batch batch = route_.drain(256);
        for (auto& text : texts(batch)) {
          const std::lock_guard guard(mutex);
          ++taken[text];
        }
        count += static_cast<int>(batch.size());
        if (batch.empty()) (void)route_.wait(milliseconds(5));
      }
    });
  }
  FakeRoute* present = &old();
  for (int life = 0; life < kLives; ++life) {
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(present->publish_patiently("p" + std::to_string(i % 7), "a.b",
                                             std::to_string(life) + "." + std::to_string(i)));
    }
    auto& next = lives_.restart();
    guest_.open_gate();
    present = &next.route();
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken.size(), static_cast<std::size_t>(kLives) * kMessages);
  for (const auto& [text, times] : taken) EXPECT_EQ(times, 1) << text;
}

}  // namespace
}  // namespace fairlead::guest
