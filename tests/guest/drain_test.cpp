// Taking messages: order, views in place, holding, losses.
#include <algorithm>
#include <set>

#include <fairlead/shm/clock.hpp>

#include "guest/guest_fixture.hpp"

namespace fairlead::guest {
namespace {

using Texts = std::vector<std::string>;

TEST(Drain, a_message_says_everything_about_itself) {
  Subscribed attached;
  const std::uint64_t before = shm::monotonic_ns();
  const std::uint64_t sequence = attached.route().publish("agent.scout", "a.b.c", "hello");
  const Batch batch = attached.subscription.drain();
  ASSERT_EQ(batch.outcome(), DrainOutcome::messages);
  ASSERT_EQ(batch.size(), 1U);
  const Message& message = batch.front();
  EXPECT_EQ(message.text(), "hello");
  EXPECT_EQ(message.topic(), "a.b.c");
  EXPECT_EQ(message.principal(), "agent.scout");
  EXPECT_EQ(message.sequence(), sequence);
  EXPECT_GE(message.published_nanoseconds(), before);
  EXPECT_EQ(message.lost_messages(), 0U);
  EXPECT_EQ(batch.ended_loss().messages, 0U);
}

TEST(Drain, messages_are_read_where_they_lie) {
  Subscribed attached;
  for (int i = 0; i < 100; ++i) attached.route().publish("p", "a.b", std::string(1'000, 'x'));
  const Batch batch = attached.subscription.drain(1'000'000);
  ASSERT_EQ(batch.size(), 100U);
  const auto mapping = attached.subscription.mapping();
  for (const Message& message : batch) {
    EXPECT_GE(message.payload().data(), mapping.data());
    EXPECT_LE(message.payload().data() + message.payload().size(), mapping.data() + mapping.size());
  }
}

TEST(Drain, uses_the_same_room_for_views_again_and_again) {
  Subscribed attached;
  std::set<const Message*> places;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 10; ++i) attached.route().publish("p", "a.b", "x");
    const Batch batch = attached.subscription.drain();
    ASSERT_EQ(batch.size(), 10U);
    if (round > 0) places.insert(batch.begin());  // the first one grew it
  }
  EXPECT_EQ(places.size(), 1U);
}

TEST(Drain, R09_keeps_publish_order_within_a_principal) {
  Subscribed attached;
  Texts expected;
  for (int i = 0; i < 500; ++i) {
    expected.push_back(std::to_string(i));
    attached.route().publish("p", "a.b", expected.back());
  }
  Texts found;
  for (;;) {
    const Batch batch = attached.subscription.drain(64);
    if (batch.empty()) break;
    for (const auto& text : texts(batch)) found.push_back(text);
  }
  EXPECT_EQ(found, expected);
}

TEST(Drain, R23_a_flood_of_one_principal_leaves_the_others_their_turn) {
  Subscribed attached;
  for (int i = 0; i < 1'000; ++i) {
    attached.route().publish("flood", "a.b", std::string(1'000, 'f'));
  }
  attached.route().publish("quiet", "a.b", "q");
  const Batch batch = attached.subscription.drain(16 * 1024);
  EXPECT_TRUE(std::any_of(batch.begin(), batch.end(),
                          [](const Message& message) { return message.principal() == "quiet"; }));
}

TEST(Drain, R24_n_takes_give_the_order_of_one_drain_with_the_same_quantum) {
  Subscribed one;
  Subscribed other;
  for (Subscribed* attached : {&one, &other}) {
    for (int i = 0; i < 30; ++i) {
      for (const char* principal : {"p", "q", "r"}) {
        const std::string payload = principal + std::string(100 * static_cast<std::size_t>(i), 'x');
        attached->route().publish(principal, "a.b", payload);
      }
    }
  }
  Texts taken;
  for (;;) {
    const Batch batch = one.subscription.take();
    if (batch.empty()) break;
    ASSERT_EQ(batch.size(), 1U);
    taken.emplace_back(batch.front().text());
  }
  Texts drained;
  for (;;) {
    const Batch batch = other.subscription.drain(3 * 4'096);  // 4 KiB for each of three lanes
    if (batch.empty()) break;
    for (const auto& text : texts(batch)) drained.push_back(text);
  }
  EXPECT_EQ(taken.size(), 90U);
  EXPECT_EQ(taken, drained);
}

TEST(Drain, R25_returns_a_message_larger_than_the_callers_budget) {
  Subscribed attached;
  attached.route().publish("p", "a.b", std::string(100'000, 'x'));
  attached.route().publish("p", "a.b", "y");
  const Batch first = attached.subscription.drain(1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first.front().payload().size(), 100'000U);
  EXPECT_EQ(texts(attached.subscription.drain(0)), Texts{"y"});
}

TEST(Drain, an_empty_route_says_so) {
  Subscribed attached;
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::empty);
  EXPECT_EQ(attached.subscription.take().outcome(), DrainOutcome::empty);
}

// ---- holding -----------------------------------------------------------------------------------

TEST(Drain, R22_the_257th_kept_message_is_refused_until_one_is_given_back) {
  Subscribed attached;
  for (std::uint32_t i = 0; i < shm::kHoldSlots + 1; ++i) {
    attached.route().publish("p", "a.b", std::to_string(i));
  }
  const Batch batch = attached.subscription.drain(1'000'000);
  ASSERT_EQ(batch.size(), shm::kHoldSlots + 1);
  std::vector<Kept> kept;
  for (std::uint32_t i = 0; i < shm::kHoldSlots; ++i) {
    auto one = attached.subscription.keep(batch[i]);
    ASSERT_TRUE(one) << i;
    kept.push_back(std::move(*one));
  }
  EXPECT_FALSE(attached.subscription.keep(batch[shm::kHoldSlots]));
  kept.erase(kept.begin() + 7);
  EXPECT_TRUE(attached.subscription.keep(batch[shm::kHoldSlots]));
}

// Many times what the segment holds goes through it meanwhile.
TEST(Drain, R22_a_kept_message_is_never_overwritten_and_pins_its_chunk_only) {
  FakeBroker broker;
  broker.set_route_options({.cap_bytes = 256 * 1024});
  Guest guest = attach_to(broker);
  Subscription subscription = guest.subscribe("a.*");
  const std::string first(1'000, '1');
  broker.route(0).publish("p", "a.b", first);
  const std::optional<Kept> kept = subscription.keep(subscription.drain().front());
  ASSERT_TRUE(kept);
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_NE(broker.route(0).publish("p", "a.b", std::string(1'000, 'x')), 0U) << i;
    ASSERT_EQ(subscription.drain().size(), 1U);
  }
  EXPECT_EQ((*kept)->text(), first);
}

TEST(Drain, R22_a_batch_is_never_overwritten_and_fills_the_guests_own_route_at_worst) {
  FakeBroker broker;
  broker.set_route_options({.cap_bytes = 256 * 1024});
  Guest guest = attach_to(broker);
  Subscription subscription = guest.subscribe("a.*");
  const std::string first(1'000, '1');
  broker.route(0).publish("p", "a.b", first);
  Batch held = subscription.drain();
  const std::string later(1'000, 'x');
  int published = 0;
  while (published < 2'000 && broker.route(0).publish("p", "a.b", later) != 0) {
    ++published;
    ASSERT_EQ(subscription.drain().size(), 1U);
  }
  EXPECT_LT(published, 2'000);
  EXPECT_EQ(texts(held), Texts{first});
  held.release();
  EXPECT_NE(broker.route(0).publish("p", "a.b", later), 0U);
}

TEST(Drain, R22_a_message_of_another_route_cannot_be_kept_here) {
  Subscribed one;
  Subscribed other;
  one.route().publish("p", "a.b", "x");
  const Batch batch = one.subscription.drain();
  EXPECT_FALSE(other.subscription.keep(batch.front()));
}

TEST(Drain, batches_and_kept_messages_outlive_subscription_guest_and_broker) {
  std::optional<Batch> batch;
  std::optional<Kept> kept;
  {
    Subscribed attached;
    attached.route().publish("p", "a.b", "one");
    attached.route().publish("p", "a.b", "two");
    batch = attached.subscription.take();
    const Batch second = attached.subscription.take();
    kept = attached.subscription.keep(second.front());
  }
  EXPECT_EQ(texts(*batch), Texts{"one"});
  EXPECT_EQ((*kept)->text(), "two");
  EXPECT_EQ((**kept).principal(), "p");
}

TEST(Drain, moving_a_batch_or_a_kept_message_moves_what_it_holds) {
  Subscribed attached;
  for (int i = 0; i < 4; ++i) attached.route().publish("p", "a.b", std::to_string(i));
  Batch batch = attached.subscription.take();
  Batch other = std::move(batch);
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(texts(other), Texts{"0"});
  other = attached.subscription.take();
  EXPECT_EQ(texts(other), Texts{"1"});
  auto kept = attached.subscription.keep(other.front());
  other = attached.subscription.take();
  auto later = attached.subscription.keep(other.front());
  ASSERT_TRUE(kept && later);
  *kept = std::move(*later);
  EXPECT_EQ((*kept)->text(), "2");
  kept.reset();
  later.reset();
  other.release();
  other.release();
  EXPECT_EQ(attached.route().cursors().messages_held.load(), 0U);
}

TEST(Drain, as_many_batches_as_there_are_tickets_and_then_it_says_so) {
  Subscribed attached;
  std::vector<Batch> batches;
  for (std::uint32_t i = 0; i < shm::kTicketSlots + 1; ++i) {
    attached.route().publish("p", "a.b", "x");
  }
  for (std::uint32_t i = 0; i < shm::kTicketSlots; ++i) {
    batches.push_back(attached.subscription.take());
    ASSERT_EQ(batches.back().size(), 1U) << i;
  }
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::too_many_batches);
  batches.pop_back();
  EXPECT_EQ(attached.subscription.drain().size(), 1U);
}

// ---- losses ------------------------------------------------------------------------------------

TEST(Drain, R29_the_next_message_tells_what_is_missing_before_it) {
  Subscribed attached;
  for (const char* text : {"1", "22", "333", "4444"}) attached.route().publish("p", "a.b", text);
  EXPECT_EQ(texts(attached.subscription.take()), Texts{"1"});
  ASSERT_TRUE(attached.route().evict("p"));
  ASSERT_TRUE(attached.route().evict("p"));
  const Batch batch = attached.subscription.drain();
  ASSERT_EQ(texts(batch), Texts{"4444"});
  EXPECT_EQ(batch.front().lost_messages(), 2U);
  EXPECT_EQ(batch.front().lost_bytes(), 2U + 3U + 2 * 3U);  // payloads and topics
}

TEST(Drain, R29_losses_of_lanes_that_ended_come_with_the_next_drain_once) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "12345");
  const std::uint64_t last = attached.route().publish("p", "a.b", "12345");
  ASSERT_TRUE(attached.route().evict("p"));
  ASSERT_TRUE(attached.route().evict("p"));
  attached.route().end_lane("p");
  EXPECT_EQ(attached.subscription.wait(seconds(30)), WaitOutcome::ready);
  const Batch batch = attached.subscription.drain();
  EXPECT_EQ(batch.outcome(), DrainOutcome::empty);
  EXPECT_EQ(batch.ended_loss().messages, 2U);
  EXPECT_EQ(batch.ended_loss().bytes, 16U);
  EXPECT_EQ(batch.ended_loss().last_sequence, last);
  EXPECT_EQ(batch.ended_loss().reason, shm::LossReason::budget);
  EXPECT_EQ(attached.subscription.drain().ended_loss().messages, 0U);
}

TEST(Drain, R29_losses_are_told_once_with_a_descriptor_too) {
  Subscribed attached({.descriptor = true});
  attached.route().publish("p", "a.b", "12345");
  ASSERT_TRUE(attached.route().evict("p"));
  attached.route().end_lane("p");
  EXPECT_EQ(attached.subscription.drain().ended_loss().messages, 1U);
  EXPECT_EQ(attached.subscription.drain().ended_loss().messages, 0U);
}

// ---- the end -----------------------------------------------------------------------------------

TEST(Drain, a_closed_route_is_drained_to_its_end_first) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "last");
  attached.route().close();
  EXPECT_EQ(texts(attached.subscription.drain()), Texts{"last"});
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::closed);
  EXPECT_EQ(attached.subscription.state(), shm::RouteState::closed);
}

TEST(Drain, a_poisoned_route_says_so) {
  Subscribed attached;
  attached.route().close(shm::RouteState::poisoned);
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::poisoned);
}

TEST(Drain, what_a_broker_left_behind_is_drained_before_disconnected_is_said) {
  Subscribed attached({.descriptor = true});
  attached.route().publish("p", "a.b", "last");
  attached.broker.hang_up();
  EXPECT_EQ(texts(attached.subscription.drain()), Texts{"last"});
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::disconnected);
}

TEST(Drain, without_a_descriptor_waiting_finds_out_that_the_broker_is_gone) {
  Subscribed attached;
  attached.broker.hang_up();
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::empty);
  EXPECT_EQ(attached.subscription.wait(seconds(30)), WaitOutcome::disconnected);
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::disconnected);
}

TEST(Drain, every_outcome_has_a_name) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(DrainOutcome::no_memory); ++i) {
    names.insert(to_string(static_cast<DrainOutcome>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(DrainOutcome::no_memory) + 1);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_EQ(to_string(static_cast<DrainOutcome>(99)), "unknown");
}

}  // namespace
}  // namespace fairlead::guest
