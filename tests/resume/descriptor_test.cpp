// The pollable descriptor over several lives of the broker.
#include <fcntl.h>
#include <poll.h>

#include <thread>

#include "resume/lives.hpp"

namespace fairlead::guest {
namespace {

using Texts = std::vector<std::string>;

bool readable(int descriptor, int milliseconds) {
  pollfd entry{descriptor, POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) == 1 && (entry.revents & POLLIN) != 0;
}

class ResumedDescriptor : public testing::Test {
 protected:
  FakeRoute& old() { return lives_.first().route(0); }
  /// What an event loop does, until there are so many.
  Texts poll_and_drain(std::size_t messages) {
    Texts found;
    while (found.size() < messages) {
      const Batch batch = route_.drain();
      for (auto& text : texts(batch)) found.push_back(std::move(text));
      ++drains_;
      if (batch.outcome() == DrainOutcome::messages) continue;
      EXPECT_EQ(batch.outcome(), DrainOutcome::empty);
      if (batch.outcome() != DrainOutcome::empty || found.size() >= messages) break;
      if (!readable(route_.descriptor(), 30'000)) break;
    }
    return found;
  }

  Lives lives_;
  Guest guest_ = lives_.attach();
  Subscription route_ = guest_.subscribe("a.*", {.descriptor = true});
  int drains_ = 0;
};

TEST_F(ResumedDescriptor, R28_is_readable_from_a_publish_until_the_route_is_empty) {
  ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  EXPECT_FALSE(readable(route_.descriptor(), 0));
  old().publish("p", "a.b", "x");
  EXPECT_TRUE(readable(route_.descriptor(), 30'000));
  EXPECT_EQ(route_.take().size(), 1U);
  EXPECT_EQ(route_.take().outcome(), DrainOutcome::empty);
  EXPECT_FALSE(readable(route_.descriptor(), 0));
}

TEST_F(ResumedDescriptor, R34_tells_that_the_broker_is_gone_and_then_sleeps_between_attempts) {
  ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  lives_.die();
  EXPECT_TRUE(readable(route_.descriptor(), 30'000));
  const auto begin = std::chrono::steady_clock::now();
  int drains = 0;
  while (std::chrono::steady_clock::now() - begin < milliseconds(300)) {
    ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
    ++drains;
    readable(route_.descriptor(), 300);
  }
  EXPECT_LE(drains, 60);
  EXPECT_GE(lives_.attempts(), 2);
}

TEST_F(ResumedDescriptor, R34_an_event_loop_goes_on_with_the_next_broker) {
  const int descriptor = route_.descriptor();
  old().publish("p", "a.b", "1");
  auto& next = lives_.restart({.fills_at_once = false});
  std::thread broker([&] {
    ASSERT_TRUE(next.broker().wait_for(Kind::acknowledge, 1));
    next.route().publish("p", "a.b", "2");
    next.open();
    next.route().publish("p", "a.b", "3");
  });
  EXPECT_EQ(poll_and_drain(3), (Texts{"1", "2", "3"}));
  broker.join();
  EXPECT_EQ(route_.descriptor(), descriptor);
  EXPECT_LE(drains_, 40);
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  EXPECT_FALSE(readable(descriptor, 0));
  next.route().publish("p", "a.b", "4");
  EXPECT_EQ(poll_and_drain(1), Texts{"4"});
}

TEST_F(ResumedDescriptor, R34_an_event_loop_is_roused_when_another_thread_has_come_back) {
  ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  for (int life = 0; life < 5; ++life) {
    auto& next = lives_.restart();
    guest_.open_gate();
    next.route().publish("p", "a.b", "x");
    EXPECT_EQ(poll_and_drain(1), Texts{"x"});
  }
}

TEST_F(ResumedDescriptor, R34_tells_of_the_end) {
  ASSERT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  lives_.restart({.refuses = ErrorCode::not_found});
  guest_.open_gate();
  EXPECT_TRUE(readable(route_.descriptor(), 30'000));
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::closed);
  EXPECT_TRUE(readable(route_.descriptor(), 0));
}

TEST(ResumedDescriptors, are_as_many_after_many_lives) {
  const auto open = [] {
    int found = 0;
    for (int each = 0; each < 1'024; ++each) found += ::fcntl(each, F_GETFD) >= 0 ? 1 : 0;
    return found;
  };
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", {.descriptor = true});
  Publisher publisher = guest.publisher();
  int before = 0;
  for (int life = 0; life < 6; ++life) {
    lives.restart();
    guest.open_gate();
    ASSERT_EQ(route.drain().outcome(), DrainOutcome::empty);
    if (life == 1) before = open();
  }
  // Those of four more fake brokers.
  EXPECT_EQ((open() - before) % 4, 0);
  EXPECT_LE(open() - before, 4 * 8);
}

}  // namespace
}  // namespace fairlead::guest
