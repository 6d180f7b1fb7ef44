// Publishing through the outbox, against a broker that takes when the test says so.
#include <atomic>
#include <future>
#include <thread>

#include <fairlead/shm/clock.hpp>

#include "guest/publish_fixture.hpp"

namespace fairlead::guest {
namespace {

using test::control::Kind;

TEST(Publish, R08_carries_topic_payload_and_its_own_number) {
  Publishing guest;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const PublishOutcome outcome = guest.publish("payload " + std::to_string(number));
    EXPECT_EQ(outcome.status, PublishStatus::pending);
    EXPECT_EQ(outcome.number, number);
  }
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const auto taken = guest.outbox().take();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->number, number);
    EXPECT_EQ(taken->topic, "a.b");
    EXPECT_EQ(taken->payload, "payload " + std::to_string(number));
    EXPECT_EQ(taken->block_until_nanoseconds, 0U);
  }
  EXPECT_FALSE(guest.outbox().take());
  EXPECT_EQ(guest.publisher.newest_number(), 3U);
  EXPECT_EQ(guest.publisher.id(), 11U);
}

TEST(Publish, R11_waits_for_the_receipt_and_tells_what_it_says) {
  Publishing guest;
  std::thread broker([&] {
    ASSERT_TRUE(guest.broker.wait_for(Kind::kick, 1));
    ASSERT_TRUE(guest.outbox().take());
    guest.outbox().acknowledge(5, 3, 2, shm::Refusal::full);
  });
  const PublishOutcome outcome = guest.publish("x", {});
  broker.join();
  EXPECT_EQ(outcome.status, PublishStatus::acknowledged);
  EXPECT_EQ(outcome.number, 1U);
  EXPECT_EQ(outcome.matched, 5U);
  EXPECT_EQ(outcome.taken, 3U);
  EXPECT_EQ(outcome.evicted, 2U);
  EXPECT_EQ(outcome.refused, 2U);
  EXPECT_EQ(outcome.reason, shm::Refusal::full);
  EXPECT_FALSE(outcome.complete());
}

TEST(Publish, R11_outcomes_can_be_asked_for_later) {
  Publishing guest(1024 * 1024);
  EXPECT_EQ(guest.publisher.outcome(0).status, PublishStatus::unknown);
  EXPECT_EQ(guest.publisher.outcome(1).status, PublishStatus::unknown);
  for (int i = 0; i < 3; ++i) guest.publish("x");
  EXPECT_EQ(guest.publisher.outcome(2).status, PublishStatus::pending);
  ASSERT_TRUE(guest.outbox().take());
  ASSERT_TRUE(guest.outbox().take());
  guest.outbox().acknowledge(7, 7);
  EXPECT_TRUE(guest.publisher.outcome(1).complete());
  EXPECT_EQ(guest.publisher.outcome(1).matched, 1U);
  EXPECT_EQ(guest.publisher.outcome(2).matched, 7U);
  EXPECT_EQ(guest.publisher.outcome(3).status, PublishStatus::pending);
  // One more than is remembered: the first is forgotten, the second is the oldest that is known.
  for (std::uint32_t i = 3; i <= shm::kReceiptEntries; ++i) {
    guest.publish("x");
    while (guest.outbox().take()) continue;
    guest.outbox().acknowledge();
  }
  EXPECT_EQ(guest.publisher.outcome(1).status, PublishStatus::forgotten);
  EXPECT_EQ(guest.publisher.outcome(2).matched, 7U);
}

TEST(Publish, without_a_receipt_in_time_it_is_pending_and_can_be_asked_for) {
  Publishing guest;
  const PublishOutcome outcome = guest.publish("x", {.wait_for_receipt = milliseconds(1)});
  EXPECT_EQ(outcome.status, PublishStatus::pending);
  ASSERT_TRUE(guest.outbox().take());
  guest.outbox().acknowledge();
  EXPECT_TRUE(guest.publisher.outcome(outcome.number).complete());
}

TEST(Publish, flush_waits_for_all_that_was_published) {
  Publishing guest;
  EXPECT_EQ(guest.publisher.flush(seconds(0)), FlushOutcome::done);
  for (int i = 0; i < 5; ++i) guest.publish("x");
  EXPECT_EQ(guest.publisher.flush(milliseconds(1)), FlushOutcome::timeout);
  auto flushed = std::async(std::launch::async, [&] { return guest.publisher.flush(seconds(30)); });
  while (guest.outbox().take()) continue;
  guest.outbox().acknowledge();
  EXPECT_EQ(flushed.get(), FlushOutcome::done);
}

// ---- what never gets into the outbox -----------------------------------------------------------

TEST(Publish, R04_a_bad_topic_is_refused_on_the_spot) {
  Publishing guest;
  for (const char* topic : {"", "a.*", "a..b", "a b", "\xff"}) {
    const PublishOutcome outcome = guest.publisher.publish(topic, "x");
    EXPECT_EQ(outcome.status, PublishStatus::invalid_topic) << topic;
    EXPECT_EQ(outcome.reason, shm::Refusal::invalid_topic);
    EXPECT_EQ(outcome.number, 0U);
  }
  EXPECT_FALSE(guest.outbox().take());
}

TEST(Publish, R31_a_payload_over_five_mebibytes_is_too_large_whatever_the_outbox) {
  Publishing guest(16 * 1024 * 1024);
  const std::string large(shm::kMaximumInlinePayloadBytes + 1, 'x');
  const PublishOutcome outcome = guest.publish(large);
  EXPECT_EQ(outcome.status, PublishStatus::too_large);
  EXPECT_EQ(outcome.reason, shm::Refusal::larger_than_limit);
  EXPECT_EQ(guest.publish(large.substr(1)).status, PublishStatus::pending);
}

TEST(Publish, a_message_may_fill_the_outbox_but_not_exceed_it) {
  Publishing guest;
  const std::string fits(4'096 - 32 - 3, 'x');
  EXPECT_EQ(guest.publish(fits + "x").status, PublishStatus::too_large);
  EXPECT_EQ(guest.publish(fits).status, PublishStatus::pending);
  const auto taken = guest.outbox().take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->payload, fits);
}

TEST(Publish, a_full_outbox_says_so_until_the_broker_has_taken) {
  Publishing guest;
  int published = 0;
  while (guest.publish(std::string(100, 'x')).status == PublishStatus::pending) ++published;
  EXPECT_GT(published, 20);
  EXPECT_EQ(guest.publish("x").status, PublishStatus::pending);  // small ones still fit
  const PublishOutcome full = guest.publish(std::string(100, 'x'));
  EXPECT_EQ(full.status, PublishStatus::outbox_full);
  EXPECT_EQ(full.number, 0U);
  while (guest.outbox().take()) continue;
  guest.outbox().acknowledge();
  EXPECT_EQ(guest.publish(std::string(100, 'x')).status, PublishStatus::pending);
}

TEST(Publish, R34_no_more_messages_than_receipts_await_acknowledgement) {
  Publishing guest(1024 * 1024);
  for (std::uint32_t i = 0; i < shm::kReceiptEntries; ++i) {
    ASSERT_EQ(guest.publish("x").status, PublishStatus::pending) << i;
  }
  EXPECT_EQ(guest.publish("x").status, PublishStatus::outbox_full);
  ASSERT_TRUE(guest.outbox().take());
  guest.outbox().acknowledge();
  EXPECT_EQ(guest.publish("x").status, PublishStatus::pending);
}

TEST(Publish, R21_a_publisher_that_would_rather_block_waits_for_room) {
  Publishing guest;
  while (guest.publish(std::string(100, 'x')).status == PublishStatus::pending) continue;
  const PublishOptions patient{.block_for = seconds(30),
                               .wait_for_receipt = std::chrono::nanoseconds(0)};
  auto published =
      std::async(std::launch::async, [&] { return guest.publish(std::string(100, 'y'), patient); });
  while (guest.outbox().take()) continue;
  guest.outbox().acknowledge();
  EXPECT_EQ(published.get().status, PublishStatus::pending);
}

TEST(Publish, R21_blocks_no_longer_than_its_own_time_out) {
  Publishing guest;
  while (guest.publish(std::string(100, 'x')).status == PublishStatus::pending) continue;
  const auto begin = std::chrono::steady_clock::now();
  const PublishOutcome outcome =
      guest.publish(std::string(100, 'y'), {.block_for = milliseconds(20)});
  EXPECT_EQ(outcome.status, PublishStatus::outbox_full);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(20));
}

TEST(Publish, R21_tells_the_broker_until_when_to_hold_it_back) {
  Publishing guest;
  const std::uint64_t before = shm::monotonic_ns();
  guest.publish("x", {.block_for = seconds(2), .wait_for_receipt = std::chrono::nanoseconds(0)});
  const auto taken = guest.outbox().take();
  ASSERT_TRUE(taken);
  EXPECT_GE(taken->block_until_nanoseconds, before + 2'000'000'000);
  EXPECT_LE(taken->block_until_nanoseconds, shm::monotonic_ns() + 2'000'000'000);
}

// ---- the ring ----------------------------------------------------------------------------------

TEST(Publish, every_size_goes_round_the_ring_unharmed) {
  Publishing guest;
  std::uint64_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::string payload((random >> 33) % 4'061, static_cast<char>('a' + i % 26));
    PublishOutcome outcome = guest.publish(payload);
    for (int tries = 0; outcome.status == PublishStatus::outbox_full; ++tries) {
      ASSERT_LT(tries, 3) << "an empty ring must take it, whatever its position";
      while (guest.outbox().take()) continue;
      guest.outbox().acknowledge();
      outcome = guest.publish(payload);
    }
    ASSERT_EQ(outcome.status, PublishStatus::pending);
    const auto taken = guest.outbox().take();
    ASSERT_TRUE(taken);
    ASSERT_EQ(taken->payload, payload);
    if (random >> 63 != 0) guest.outbox().acknowledge();
  }
}

TEST(Publish, threads_publish_at_once_and_each_keeps_its_order) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 5'000;
  Publishing guest;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) {
        const std::string topic = "t." + std::to_string(thread);
        const auto outcome = guest.publisher.publish(
            topic, std::to_string(i),
            {.block_for = seconds(30), .wait_for_receipt = std::chrono::nanoseconds(0)});
        ASSERT_EQ(outcome.status, PublishStatus::pending);
      }
    });
  }
  std::map<std::string, int> next;
  for (int taken = 0; taken < kThreads * kMessages;) {
    if (const auto message = guest.outbox().take()) {
      ASSERT_EQ(message->payload, std::to_string(next[message->topic]++));
      ++taken;
    } else {
      guest.outbox().acknowledge();
    }
  }
  guest.outbox().acknowledge();
  for (auto& thread : threads) thread.join();
}

// ---- waking the broker -------------------------------------------------------------------------

TEST(Publish, kicks_a_broker_that_sleeps_and_no_other) {
  Publishing guest;
  guest.outbox().set_asleep(false);
  guest.publish("x");
  guest.guest.open_gate();  // whatever was sent before has been read
  EXPECT_EQ(guest.broker.count(Kind::kick), 0U);
  guest.outbox().set_asleep(true);
  guest.publish("x");
  guest.guest.open_gate();
  EXPECT_EQ(guest.broker.count(Kind::kick), 1U);
}

TEST(Publish, never_leaves_a_message_with_a_broker_that_went_to_sleep) {
  constexpr int kMessages = 20'000;
  Publishing guest;
  std::thread publisher([&] {
    for (int i = 0; i < kMessages; ++i) {
      guest.publish("x", {.block_for = seconds(30)});  // each waits for its receipt
    }
  });
  // The broker's side of the hand-shake: say that we sleep, full fence, look once more, sleep.
  std::size_t kicks = 0;
  for (int taken = 0; taken < kMessages;) {
    if (guest.outbox().take()) {
      ++taken;
      guest.outbox().acknowledge();
      continue;
    }
    guest.outbox().set_asleep(true);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (guest.outbox().take()) {
      ++taken;
      guest.outbox().acknowledge();
    } else {
      ASSERT_TRUE(guest.broker.wait_for(Kind::kick, ++kicks)) << "after " << taken;
      kicks = guest.broker.count(Kind::kick);
    }
    guest.outbox().set_asleep(false);
  }
  publisher.join();
}

}  // namespace
}  // namespace fairlead::guest
