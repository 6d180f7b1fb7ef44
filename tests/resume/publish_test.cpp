// R34, the publisher's half: what has no receipt is handed over again.
#include <future>
#include <map>
#include <thread>

#include "guest/publish_fixture.hpp"
#include "resume/lives.hpp"

namespace fairlead::guest {
namespace {

class ResumedOutbox : public testing::Test {
 protected:
  explicit ResumedOutbox(std::uint64_t ring_bytes = 4'096)
      : guest_(lives_.attach()), publisher_(guest_.publisher({.ring_bytes = ring_bytes})) {}

  FakeOutbox& old() { return lives_.first().outbox(); }
  PublishOutcome publish(std::string_view payload, const PublishOptions& options = kAsynchronous) {
    return publisher_.publish("a.b", payload, options);
  }
  /// What the broker finds: numbers and payloads.
  static std::string all_of(FakeOutbox& outbox) {
    std::string found;
    while (const auto message = outbox.take()) {
      found += std::to_string(message->number) + message->payload + " ";
    }
    return found;
  }

  Lives lives_;
  Guest guest_;
  Publisher publisher_;
};

TEST_F(ResumedOutbox, R34_what_has_no_receipt_is_handed_over_again_under_its_number) {
  publish("a");
  publish("b");
  ASSERT_TRUE(old().take());
  old().acknowledge();
  publish("c");
  ASSERT_TRUE(old().take());  // taken, not acknowledged
  auto& next = lives_.restart();
  guest_.open_gate();
  const auto question = next.outbox_question();
  EXPECT_EQ(question.outbox, publisher_.id());
  EXPECT_EQ(question.ring_bytes, 4'096U);
  EXPECT_EQ(question.first_number, 2U);
  EXPECT_EQ(all_of(next.outbox()), "2b 3c ");
  publish("d");
  EXPECT_EQ(all_of(next.outbox()), "4d ");
}

TEST_F(ResumedOutbox, R34_what_was_accepted_is_not_handed_over_though_its_number_is_not_there_yet) {
  publish("a");
  publish("b");
  ASSERT_TRUE(old().take());
  old().acknowledge(3, 2);
  // As if the broker had been killed between the two words.
  old().receipts().accepted_number.store(0);
  auto& next = lives_.restart();
  guest_.open_gate();
  EXPECT_EQ(next.outbox_question().first_number, 2U);
  EXPECT_EQ(all_of(next.outbox()), "2b ");
  const PublishOutcome outcome = publisher_.outcome(1);
  EXPECT_EQ(outcome.status, PublishStatus::acknowledged);
  EXPECT_EQ(outcome.matched, 3U);
}

TEST_F(ResumedOutbox, R34_an_outbox_without_anything_left_goes_on_with_the_next_number) {
  publish("a");
  ASSERT_TRUE(old().take());
  old().acknowledge();
  auto& next = lives_.restart();
  guest_.open_gate();
  EXPECT_EQ(next.outbox_question().first_number, 2U);
  EXPECT_EQ(all_of(next.outbox()), "");
  EXPECT_EQ(publish("b").number, 2U);
  EXPECT_EQ(all_of(next.outbox()), "2b ");
}

TEST_F(ResumedOutbox, R34_publishes_while_the_broker_is_away_are_pending) {
  lives_.die();
  EXPECT_EQ(publish("a").status, PublishStatus::pending);
  EXPECT_EQ(publish("b", {.wait_for_receipt = milliseconds(20)}).status, PublishStatus::pending);
  EXPECT_EQ(publisher_.flush(milliseconds(5)), FlushOutcome::timeout);
  EXPECT_EQ(publisher_.outcome(1).status, PublishStatus::pending);
  auto& next = lives_.begin();
  guest_.open_gate();
  EXPECT_EQ(all_of(next.outbox()), "1a 2b ");
  next.outbox().acknowledge();
  EXPECT_EQ(publisher_.flush(seconds(30)), FlushOutcome::done);
  EXPECT_EQ(publisher_.outcome(2).status, PublishStatus::acknowledged);
}

TEST_F(ResumedOutbox, R34_publishing_alone_comes_back) {
  auto& next = lives_.restart();
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  std::uint64_t published = 0;
  while (next.broker().count(Kind::resume_outbox) == 0) {
    if (publish("x").status == PublishStatus::pending) ++published;
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  // What found the outbox full meanwhile took no number.
  EXPECT_EQ(publisher_.newest_number(), published);
}

// A broker that was awake when it was killed is never kicked again.
TEST_F(ResumedOutbox, R34_publishing_alone_notices_a_broker_that_was_awake) {
  old().set_asleep(false);
  auto& next = lives_.restart();
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (next.broker().count(Kind::resume_outbox) == 0) {
    (void)publish("x");
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
}

TEST_F(ResumedOutbox, R34_a_thread_that_waits_for_its_receipt_goes_on_waiting) {
  auto published = std::async(std::launch::async,
                              [&] { return publish("x", {.wait_for_receipt = seconds(30)}); });
  while (publisher_.newest_number() == 0) std::this_thread::yield();
  auto& next = lives_.restart();
  ASSERT_TRUE(next.broker().wait_for(Kind::acknowledge, 1));
  std::string copied;  // which comes after the acknowledgement
  while (copied.empty()) copied = all_of(next.outbox());
  EXPECT_EQ(copied, "1x ");
  next.outbox().acknowledge(5, 4);
  const PublishOutcome outcome = published.get();
  EXPECT_EQ(outcome.status, PublishStatus::acknowledged);
  EXPECT_EQ(outcome.matched, 5U);
}

TEST_F(ResumedOutbox, R34_a_thread_that_waits_for_room_finds_it_with_the_next_broker) {
  const std::string large(1'900, 'x');
  ASSERT_EQ(publish(large).status, PublishStatus::pending);
  ASSERT_EQ(publish(large).status, PublishStatus::pending);
  auto published = std::async(std::launch::async, [&] {
    return publish(large,
                   {.block_for = seconds(30), .wait_for_receipt = std::chrono::nanoseconds(0)});
  });
  auto& next = lives_.restart();
  ASSERT_TRUE(next.broker().wait_for(Kind::acknowledge, 1));
  while (!next.outbox().take()) std::this_thread::yield();  // they come after the acknowledgement
  next.outbox().acknowledge();
  const PublishOutcome outcome = published.get();
  EXPECT_EQ(outcome.status, PublishStatus::pending);
  EXPECT_EQ(outcome.number, 3U);
}

TEST_F(ResumedOutbox, R34_a_full_ring_with_fillers_is_handed_over_whole) {
  // The second kilobyte begins behind the end of the ring, so a filler goes before it.
  for (int round = 0; round < 3; ++round) {
    publish(std::string(1'000, 'a'));
    ASSERT_TRUE(old().take());
    old().acknowledge();
  }
  publish(std::string(1'200, 'b'));
  publish(std::string(1'100, 'c'));
  auto& next = lives_.restart();
  guest_.open_gate();
  EXPECT_EQ(all_of(next.outbox()),
            "4" + std::string(1'200, 'b') + " 5" + std::string(1'100, 'c') + " ");
}

TEST_F(ResumedOutbox, R21_R34_how_long_a_publish_may_wait_is_handed_over) {
  publish("a", {.block_for = seconds(100), .wait_for_receipt = std::chrono::nanoseconds(0)});
  const auto before = old().take();
  ASSERT_TRUE(before);
  auto& next = lives_.restart();
  guest_.open_gate();
  const auto after = next.outbox().take();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->block_until_nanoseconds, before->block_until_nanoseconds);
  EXPECT_NE(after->block_until_nanoseconds, 0U);
}

TEST_F(ResumedOutbox,
       R34_outcomes_of_the_last_eight_lives_are_remembered_and_older_ones_forgotten) {
  for (std::uint32_t life = 1; life <= 9; ++life) {
    publish("a");
    auto& next = lives_.restart();
    guest_.open_gate();
    ASSERT_TRUE(next.outbox().take());
    next.outbox().acknowledge(1, 1, life);
    lives_.restart();  // which accepts nothing
    guest_.open_gate();
    (void)publisher_.flush(milliseconds(1));
  }
  publish("b");
  EXPECT_EQ(publisher_.outcome(1).status, PublishStatus::forgotten);
  for (std::uint32_t life = 2; life <= 9; ++life) {
    EXPECT_EQ(publisher_.outcome(life).status, PublishStatus::acknowledged);
    EXPECT_EQ(publisher_.outcome(life).evicted, life);
  }
  EXPECT_EQ(publisher_.outcome(10).status, PublishStatus::pending);
}

TEST_F(ResumedOutbox, R34_many_lives_one_after_the_other) {
  std::string expected;
  for (int life = 1; life <= 20; ++life) {
    publish("x");
    expected += std::to_string(life) + "x ";
    lives_.restart();
    guest_.open_gate();
  }
  auto& last = lives_.restart();
  guest_.open_gate();
  EXPECT_EQ(all_of(last.outbox()), expected);
}

TEST_F(ResumedOutbox, an_outbox_that_the_broker_has_no_room_for_is_asked_for_again) {
  publish("x");
  auto& next = lives_.restart({.refuses = ErrorCode::limit, .refusals = 3});
  guest_.open_gate();
  EXPECT_EQ(publish("y", {.wait_for_receipt = milliseconds(100)}).status, PublishStatus::pending);
  EXPECT_EQ(all_of(next.outbox()), "1x 2y ");
}

TEST_F(ResumedOutbox, an_outbox_that_the_broker_refuses_is_disconnected) {
  publish("x");
  lives_.restart({.refuses = ErrorCode::denied});
  guest_.open_gate();
  EXPECT_EQ(publish("y").status, PublishStatus::disconnected);
  EXPECT_EQ(publisher_.outcome(1).status, PublishStatus::disconnected);
  EXPECT_EQ(publisher_.flush(seconds(1)), FlushOutcome::disconnected);
}

TEST_F(ResumedOutbox,
       a_publish_that_waits_for_nothing_does_not_sleep_when_its_outbox_is_forgotten) {
  lives_.restart({.knows_us = false});
  const auto begin = std::chrono::steady_clock::now();
  while (publish("a").status == PublishStatus::pending) {
  }
  EXPECT_EQ(publish("b").status, PublishStatus::disconnected);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(30));
}

TEST_F(ResumedOutbox, R34_threads_publish_through_many_lives) {
  constexpr int kThreads = 3;
  constexpr int kMessages = 400;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) {
        const auto outcome =
            publisher_.publish("t." + std::to_string(thread), std::to_string(i),
                               {.block_for = seconds(30), .wait_for_receipt = milliseconds(i % 2)});
        ASSERT_NE(outcome.number, 0U) << to_string(outcome.status);
      }
      --running;
    });
  }
  std::vector<std::pair<std::uint64_t, std::string>> accepted;
  FakeOutbox* present = &old();
  const auto serve = [&](int messages) {
    for (int i = 0; i < messages; ++i) {
      const auto message = present->take();
      if (!message) break;
      accepted.emplace_back(message->number, message->topic + "=" + message->payload);
      present->acknowledge();
    }
  };
  for (int life = 0; life < 20; ++life) {
    serve(30);
    auto& next = lives_.restart();
    guest_.open_gate();
    present = &next.outbox();
  }
  while (running > 0 || publisher_.newest_number() > accepted.size()) serve(100);
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(accepted.size(), static_cast<std::size_t>(kThreads) * kMessages);
  std::map<std::string, int> next_of;
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    ASSERT_EQ(accepted[i].first, i + 1);
    const auto topic = accepted[i].second.substr(0, 3);
    ASSERT_EQ(accepted[i].second, topic + "=" + std::to_string(next_of[topic]++));
  }
}

}  // namespace
}  // namespace fairlead::guest
