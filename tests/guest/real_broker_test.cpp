// Guest and broker together: what the fake broker of the other tests cannot promise.
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include <fairlead/broker/broker.hpp>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using Texts = std::vector<std::string>;

std::string unique_name() {
  static std::atomic<int> number{0};
  return "guest-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
}

class RealBroker : public testing::TestWithParam<Backing> {
 protected:
  void SetUp() override {
    broker::BrokerOptions options;
    options.name = name_;
    broker_ = std::make_unique<broker::Broker>(options);
    broker_->start();
  }
  void TearDown() override {
    broker_.reset();
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      EXPECT_EQ(entry.path().string().find(name_ + "."), std::string::npos) << entry.path();
    }
  }

  Guest attach(std::string_view principal) {
    return Guest::attach(over(broker_->connect(principal)));
  }
  SubscribeOptions options() const {
    SubscribeOptions options;
    options.backing = GetParam();
    return options;
  }
  broker::PublishReport publish(std::string_view principal, std::string_view topic,
                                std::string_view payload) {
    return broker_->publish(principal, topic, payload);
  }

  const std::string name_ = unique_name();
  std::unique_ptr<broker::Broker> broker_;
};

TEST_P(RealBroker, R08_identity_comes_from_the_connection) {
  Guest guest = attach("agent.scout");
  EXPECT_EQ(guest.welcome().principal, "agent.scout");
  EXPECT_EQ(guest.welcome().broker, name_);
  EXPECT_NE(guest.welcome().boundary, shm::Boundary::none);
  EXPECT_FALSE(guest.welcome().boundary_reason.empty());
  Subscription subscription = guest.subscribe("a.*", options());
  Publisher publisher = guest.publisher();
  const PublishOutcome outcome = publisher.publish("a.b", "hello");
  EXPECT_TRUE(outcome.complete()) << to_string(outcome.status);
  EXPECT_EQ(outcome.matched, 1U);
  EXPECT_EQ(outcome.taken, 1U);
  // R34: once acknowledged every matching route has it.
  const Batch batch = subscription.drain();
  ASSERT_EQ(texts(batch), Texts{"hello"});
  EXPECT_EQ(batch.front().principal(), "agent.scout");
  EXPECT_EQ(batch.front().publisher(), publisher.id());
  EXPECT_EQ(batch.front().publish_number(), outcome.number);
}

TEST_P(RealBroker, a_principal_other_than_the_connections_is_refused_in_the_brokers_words) {
  AttachOptions wish = over(broker_->connect("alice"));
  wish.principal = "bob";
  const auto sentence =
      expect_error(ErrorCode::denied, [&] { (void)Guest::attach(std::move(wish)); });
  EXPECT_NE(sentence.find("alice"), std::string::npos) << sentence;
}

TEST_P(RealBroker, R07_two_subscriptions_of_a_pattern_both_receive) {
  Guest guest = attach("alice");
  Subscription one = guest.subscribe("a.*", options());
  Subscription other = guest.subscribe("a.*", options());
  EXPECT_EQ(publish("p", "a.b", "x").taken, 2U);
  EXPECT_EQ(texts(one.drain()), Texts{"x"});
  EXPECT_EQ(texts(other.drain()), Texts{"x"});
}

TEST_P(RealBroker, R12_a_route_takes_whom_it_admits) {
  Guest guest = attach("alice");
  SubscribeOptions exactly = options();
  exactly.admission = shm::AdmissionKind::exactly;
  exactly.admitted_principal = "bob";
  Subscription subscription = guest.subscribe("a", exactly);
  EXPECT_EQ(publish("carol", "a", "no").matched, 0U);
  EXPECT_EQ(publish("system", "a", "no").matched, 0U);
  EXPECT_EQ(publish("bob", "a", "yes").matched, 1U);
  EXPECT_EQ(texts(subscription.drain()), Texts{"yes"});
}

TEST_P(RealBroker, R13_staged_routes_open_and_retire_at_once_and_replay_nothing) {
  Guest guest = attach("alice");
  SubscribeOptions staged = options();
  staged.staged = true;
  Subscription one = guest.subscribe("a.*", staged);
  Subscription other = guest.subscribe("*", staged);
  EXPECT_EQ(publish("p", "a.b", "early").taken, 0U);
  guest.open_gate();
  EXPECT_EQ(publish("p", "a.b", "now").taken, 2U);
  guest.retire_gate();
  EXPECT_EQ(publish("p", "a.b", "late").taken, 0U);
  EXPECT_EQ(texts(one.drain()), Texts{"now"});
  EXPECT_EQ(texts(other.drain()), Texts{"now"});
}

TEST_P(RealBroker, R16_R29_budget_and_loss_reach_the_reader) {
  Guest guest = attach("alice");
  SubscribeOptions small = options();
  small.budget_bytes = 5'000;
  Subscription subscription = guest.subscribe("a", small);
  Publisher publisher = guest.publisher();
  EXPECT_EQ(publisher.publish("a", std::string(6'000, 'x')).reason,
            shm::Refusal::larger_than_budget);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(publisher.publish("a", std::string(999, static_cast<char>('0' + i))).complete());
  }
  const Batch batch = subscription.drain();
  ASSERT_EQ(batch.size(), 5U);
  EXPECT_EQ(batch.front().text().front(), '5');
  EXPECT_EQ(batch.front().lost_messages(), 5U);
  EXPECT_EQ(batch.front().lost_bytes(), 5'000U);
}

TEST_P(RealBroker, R21_a_patient_publisher_waits_until_a_full_route_is_drained) {
  Guest guest = attach("alice");
  SubscribeOptions rejecting = options();
  rejecting.eviction = shm::EvictionPolicy::reject;
  rejecting.budget_bytes = 5'000;
  Subscription subscription = guest.subscribe("a", rejecting);
  Publisher publisher = guest.publisher();
  EXPECT_TRUE(publisher.publish("a", std::string(4'900, 'x')).complete());
  EXPECT_EQ(publisher.publish("a", std::string(4'900, 'y')).reason, shm::Refusal::full);
  EXPECT_EQ(publisher.publish("a", std::string(4'900, 'y'), {.block_for = milliseconds(20)}).reason,
            shm::Refusal::full);
  auto published = std::async(std::launch::async, [&] {
    return publisher.publish("a", std::string(4'900, 'z'), {.block_for = seconds(30)});
  });
  while (publisher.newest_number() < 4) std::this_thread::yield();
  EXPECT_EQ(subscription.take().size(), 1U);  // a drain might find the next one already
  EXPECT_TRUE(published.get().complete());
  EXPECT_EQ(texts(subscription.drain()), Texts{std::string(4'900, 'z')});
}

TEST_P(RealBroker, R28_worker_processes_share_a_route) {
  constexpr int kMessages = 5'000;
  Guest guest = attach("alice");
  Subscription subscription = guest.subscribe("a", options());
  SharedRoute shared = subscription.share();
  test::ChildProcess worker([&]() -> std::string {
    auto route = Subscription::from_descriptors(std::move(shared));
    int taken = 0;
    for (;;) {
      const Batch batch = route.drain();
      taken += static_cast<int>(batch.size());
      if (batch.outcome() == DrainOutcome::messages) continue;
      if (batch.outcome() != DrainOutcome::empty) break;
      (void)route.wait(seconds(20));
    }
    return std::to_string(taken);
  });
  int taken = 0;
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_EQ(publish("p" + std::to_string(i % 9), "a", "x").taken, 1U);
    if (i % 4 == 0) taken += static_cast<int>(subscription.take().size());
  }
  // The route is closed for both; its memory stays as long as they look at it.
  broker_->stop();
  for (;;) {
    const Batch batch = subscription.drain();
    if (batch.empty()) break;
    taken += static_cast<int>(batch.size());
  }
  EXPECT_EQ(taken + std::stoi(worker.result()), kMessages);
}

TEST_P(RealBroker, R28_the_descriptor_tells_of_every_publish) {
  Guest guest = attach("alice");
  SubscribeOptions polled = options();
  polled.descriptor = true;
  Subscription subscription = guest.subscribe("a", polled);
  std::thread publisher([&] {
    for (int i = 0; i < 2'000; ++i) publish("p", "a", std::to_string(i));
  });
  for (int next = 0; next < 2'000;) {
    const Batch batch = subscription.drain();
    for (const Message& message : batch) EXPECT_EQ(message.text(), std::to_string(next++));
    if (!batch.empty() || next == 2'000) continue;
    pollfd entry{subscription.descriptor(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, 20'000), 1) << "missed a wake-up after " << next;
  }
  publisher.join();
}

TEST_P(RealBroker, a_stop_ends_routes_and_publishers_in_order) {
  Guest guest = attach("alice");
  Subscription subscription = guest.subscribe("a", options());
  Publisher publisher = guest.publisher();
  EXPECT_TRUE(publisher.publish("a", "last").complete());
  auto waited = std::async(std::launch::async, [&] {
    const Batch batch = subscription.drain();
    return subscription.wait(seconds(20));
  });
  broker_->stop();
  const WaitOutcome outcome = waited.get();
  EXPECT_TRUE(outcome == WaitOutcome::closed || outcome == WaitOutcome::disconnected)
      << to_string(outcome);
  EXPECT_EQ(publisher.publish("a", "x").status, PublishStatus::disconnected);
  expect_error(ErrorCode::disconnected, [&] { (void)guest.subscribe("a"); });
}

TEST_P(RealBroker, unsubscribed_and_dropped_routes_are_gone) {
  Guest guest = attach("alice");
  Subscription one = guest.subscribe("a", options());
  std::optional<Subscription> other = guest.subscribe("a", options());
  EXPECT_EQ(publish("p", "a", "x").taken, 2U);
  const Batch held = one.drain();
  guest.unsubscribe(std::move(one));
  EXPECT_EQ(publish("p", "a", "x").taken, 1U);
  EXPECT_EQ(texts(held), Texts{"x"});
  other.reset();
  guest.open_gate();  // everything said before has been heard
  EXPECT_EQ(publish("p", "a", "x").taken, 0U);
}

TEST_P(RealBroker, R34_every_acknowledged_publish_of_many_threads_is_delivered_once) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 500;
  Guest guest = attach("alice");
  SubscribeOptions large = options();
  large.budget_bytes = 4 << 20;
  Subscription subscription = guest.subscribe("t.*", large);
  Publisher publisher = guest.publisher({.ring_bytes = 8'192});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) {
        const PublishOptions wait{.block_for = seconds(30),
                                  .wait_for_receipt = milliseconds(i % 2)};
        const auto outcome =
            publisher.publish("t." + std::to_string(thread), std::to_string(i), wait);
        ASSERT_NE(outcome.number, 0U) << to_string(outcome.status);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(publisher.flush(seconds(30)), FlushOutcome::done);
  std::map<std::string, int> next;
  for (;;) {
    const Batch batch = subscription.drain();
    if (batch.empty()) break;
    for (const Message& message : batch) {
      ASSERT_EQ(message.text(), std::to_string(next[std::string(message.topic())]++));
    }
  }
  for (int thread = 0; thread < kThreads; ++thread) {
    EXPECT_EQ(next["t." + std::to_string(thread)], kMessages);
  }
}

// A test is a guest of the broker's own uid and in no sandbox: sealing would enforce nothing.
TEST(AutomaticBacking, seals_where_the_broker_is_set_up_to_and_else_where_it_helps) {
  const auto sealed_by = [](Backing broker_says, Backing wish) {
    broker::Broker broker({.name = unique_name(), .backing = broker_says});
    broker.start();
    Guest guest = Guest::attach(over(broker.connect("alice")));
    return guest.subscribe("a", {.backing = wish}).share().sealed;
  };
  EXPECT_FALSE(sealed_by(Backing::automatic, Backing::automatic));
  EXPECT_TRUE(sealed_by(Backing::sealed, Backing::automatic));
  EXPECT_FALSE(sealed_by(Backing::named, Backing::automatic));
  EXPECT_TRUE(sealed_by(Backing::named, Backing::sealed));
  EXPECT_FALSE(sealed_by(Backing::sealed, Backing::named));
}

INSTANTIATE_TEST_SUITE_P(Guest, RealBroker, testing::Values(Backing::named, Backing::sealed),
                         [](const auto& instance) {
                           return instance.param == Backing::named ? "named" : "sealed";
                         });

}  // namespace
}  // namespace fairlead::guest
