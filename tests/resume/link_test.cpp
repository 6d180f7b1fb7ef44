// Whether and how a guest comes back.
#include <future>
#include <map>
#include <thread>

#include "resume/lives.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using Texts = std::vector<std::string>;
using Packet = std::span<const std::byte>;

const SubscribeOptions kShortSleeps{.waiting = {.longest_sleep = milliseconds(5)}};

TEST(ComingBack, R34_shows_the_token_that_it_was_given_and_who_it_is) {
  Lives lives;
  lives.first().on(Kind::hello, [](FakeSession& session, const Header& header, Packet) {
    control::Welcome welcome{};
    welcome.epoch = Lives::kFirstEpoch;
    welcome.broker.assign("fake");
    welcome.resume_token[0] = 42;
    session.answer(Kind::welcome, header.request, welcome);
  });
  AttachOptions options = lives.options();
  options.principal = "alice";
  options.capsule = shm::make_random_uuid();
  const auto capsule = *options.capsule;
  Guest guest = Guest::attach(std::move(options));
  for (int life = 1; life <= 3; ++life) {
    auto& next = lives.restart();
    guest.open_gate();
    EXPECT_EQ(next.hello().resume_token[0], 42);
    EXPECT_EQ(next.hello().principal.view(), "alice");
    EXPECT_EQ(next.hello().capsule, capsule);
    EXPECT_EQ(guest.welcome().epoch, Lives::kFirstEpoch + static_cast<std::uint64_t>(life));
    EXPECT_TRUE(guest.connected());
  }
}

TEST(ComingBack, a_first_hello_has_no_token) {
  Lives lives;
  control::Hello hello{};
  lives.first().on(Kind::hello, [&](FakeSession& session, const Header& header, Packet packet) {
    hello = test::packet_as<control::Hello>(packet);
    session.answer(Kind::welcome, header.request, control::Welcome{});
  });
  Guest guest = lives.attach();
  for (const std::uint8_t byte : hello.resume_token) EXPECT_EQ(byte, 0);
}

TEST(ComingBack, is_not_tried_when_no_time_is_given) {
  Lives lives;
  Guest guest = lives.attach(seconds(0));
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  lives.restart();
  EXPECT_EQ(route.wait(), WaitOutcome::disconnected);
  EXPECT_EQ(route.drain().outcome(), DrainOutcome::disconnected);
  expect_error(ErrorCode::disconnected, [&] { guest.open_gate(); });
  EXPECT_EQ(lives.attempts(), 0);
}

TEST(ComingBack, is_given_up_when_the_time_has_passed) {
  Lives lives;
  Guest guest = lives.attach(milliseconds(50));
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  Publisher publisher = guest.publisher();
  lives.die();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(route.wait(), WaitOutcome::disconnected);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(50));
  EXPECT_GT(lives.attempts(), 1);
  EXPECT_EQ(route.drain().outcome(), DrainOutcome::disconnected);
  EXPECT_EQ(publisher.publish("a.b", "x").status, PublishStatus::disconnected);
  const auto sentence = expect_error(ErrorCode::disconnected, [&] { guest.open_gate(); });
  EXPECT_NE(sentence.find("not come back"), std::string::npos) << sentence;
  lives.begin();
  EXPECT_EQ(route.wait(), WaitOutcome::disconnected) << "for good";
}

TEST(ComingBack, attempts_become_rare) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  lives.die();
  EXPECT_EQ(route.wait(milliseconds(300)), WaitOutcome::timeout);
  const int attempts = lives.attempts();
  EXPECT_GE(attempts, 2);
  EXPECT_LE(attempts, 40);  // 1 ms, 2 ms, 4 ms..., or half of that
}

TEST(ComingBack, R34_a_farewell_is_for_good) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  Subscription other = guest.subscribe("b.*", kShortSleeps);
  lives.first().on(Kind::set_gate, [&](FakeSession& session, const Header&, Packet) {
    lives.first().route(0).close();
    control::Plain farewell{};
    farewell.header = {Kind::farewell, sizeof farewell, 0};
    session.send(std::as_bytes(std::span(&farewell, 1)));
    session.hung_up = true;
  });
  expect_error(ErrorCode::disconnected, [&] { guest.open_gate(); });
  EXPECT_EQ(route.wait(), WaitOutcome::closed);
  EXPECT_EQ(other.wait(), WaitOutcome::disconnected);
  EXPECT_EQ(lives.attempts(), 0);
}

TEST(ComingBack, R34_a_farewell_that_nobody_has_read_yet_is_for_good) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  lives.first().on(Kind::unsubscribe, [&](FakeSession& session, const Header&, Packet) {
    control::Plain farewell{};
    farewell.header = {Kind::farewell, sizeof farewell, 0};
    session.send(std::as_bytes(std::span(&farewell, 1)));
    session.hung_up = true;
  });
  (void)guest.subscribe("c.*");  // dropped at once
  EXPECT_EQ(route.wait(), WaitOutcome::disconnected);
  EXPECT_EQ(lives.attempts(), 0);
}

TEST(ComingBack, a_refusal_that_cannot_change_is_for_good) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  auto& next = lives.restart();
  next.broker().on(Kind::hello, [](FakeSession& session, const Header& header, Packet) {
    session.refuse(header.request, ErrorCode::denied, "not any more");
  });
  EXPECT_EQ(route.wait(), WaitOutcome::disconnected);
  const auto sentence = expect_error(ErrorCode::disconnected, [&] { guest.open_gate(); });
  EXPECT_NE(sentence.find("not any more"), std::string::npos) << sentence;
}

TEST(ComingBack, a_refusal_that_may_change_is_not) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  auto& next = lives.restart();
  std::atomic<int> asked{0};
  next.broker().on(Kind::hello, [&](FakeSession& session, const Header& header, Packet) {
    if (++asked < 4) return session.refuse(header.request, ErrorCode::rate_limited, "later");
    control::Welcome welcome{};
    welcome.resumed = 1;
    session.answer(Kind::welcome, header.request, welcome);
  });
  guest.open_gate();
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(route.drain().outcome(), DrainOutcome::empty);
}

// ---- what the next broker does not know --------------------------------------------------------

TEST(ComingBack, R34_to_a_broker_that_does_not_know_us_is_as_a_new_guest) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  Publisher publisher = guest.publisher();
  lives.first().route(0).publish("p", "a.b", "left");
  lives.restart({.knows_us = false});
  guest.open_gate();
  EXPECT_EQ(texts(route.drain()), Texts{"left"});
  EXPECT_EQ(route.drain().outcome(), DrainOutcome::closed);
  EXPECT_EQ(route.wait(), WaitOutcome::closed);
  EXPECT_EQ(route.state(), shm::RouteState::closed);
  const auto end = route.end();
  ASSERT_TRUE(end);
  EXPECT_NE(end->sentence.find("came back without"), std::string::npos) << end->sentence;
  EXPECT_EQ(publisher.publish("a.b", "x").status, PublishStatus::disconnected);
  EXPECT_EQ(publisher.flush(seconds(1)), FlushOutcome::done);

  Subscription fresh = guest.subscribe("a.*");
  EXPECT_EQ(fresh.drain().outcome(), DrainOutcome::empty);
  Publisher another = guest.publisher();
  EXPECT_EQ(another.publish("a.b", "x", {.wait_for_receipt = std::chrono::nanoseconds(0)}).status,
            PublishStatus::pending);
}

TEST(ComingBack, R34_a_route_that_has_ended_meanwhile_is_drained_and_closed) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  lives.first().route(0).publish("p", "a.b", "left");
  lives.restart({.refuses = ErrorCode::not_found});
  guest.open_gate();
  EXPECT_EQ(route.wait(), WaitOutcome::ready);
  EXPECT_EQ(texts(route.drain()), Texts{"left"});
  EXPECT_EQ(route.wait(), WaitOutcome::closed);
  EXPECT_EQ(route.end()->sentence, "the next broker says no");
}

TEST(ComingBack, a_route_that_the_broker_has_no_room_for_is_asked_for_again) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  Subscription other = guest.subscribe("b.*", kShortSleeps);
  auto& next = lives.restart({.refuses = ErrorCode::limit, .refusals = 2});
  guest.open_gate();
  EXPECT_EQ(next.broker().count(Kind::resume_route), 2U);
  EXPECT_EQ(route.wait(seconds(0)), WaitOutcome::timeout);
  ASSERT_EQ(route.wait(milliseconds(500)), WaitOutcome::timeout);
  next.route(1).publish("p", "a.b", "x");
  EXPECT_EQ(drain_texts(route, 1), Texts{"x"});
}

TEST(ComingBack, a_broker_that_hangs_up_in_the_middle_is_tried_again) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  auto& next = lives.restart();
  next.broker().on(Kind::resume_route,
                   [](FakeSession& session, const Header&, Packet) { session.hung_up = true; });
  while (next.broker().count(Kind::resume_route) < 2)
    EXPECT_EQ(route.wait(milliseconds(10)), WaitOutcome::timeout);
  auto& third = lives.restart();
  guest.open_gate();
  third.route().publish("p", "a.b", "x");
  EXPECT_EQ(drain_texts(route, 1), Texts{"x"});
}

// ---- questions ---------------------------------------------------------------------------------

TEST(ComingBack, R34_a_question_waits_until_the_broker_is_back) {
  Lives lives;
  Guest guest = lives.attach();
  lives.die();
  auto asked = std::async(std::launch::async, [&] { return guest.subscribe("a.*"); });
  while (lives.attempts() < 2) std::this_thread::yield();
  auto& next = lives.begin();
  Subscription route = asked.get();
  EXPECT_TRUE(next.broker().wait_for(Kind::subscribe, 1));
  next.broker().route(0).publish("p", "a.b", "x");
  EXPECT_EQ(texts(route.drain()), Texts{"x"});
}

TEST(ComingBack, R34_a_question_that_the_broker_died_of_is_asked_again) {
  Lives lives;
  Guest guest = lives.attach();
  lives.first().on(Kind::subscribe,
                   [&](FakeSession& session, const Header&, Packet) { session.hung_up = true; });
  std::thread restart([&] {
    ASSERT_TRUE(lives.first().wait_for(Kind::subscribe, 1));
    lives.restart();
  });
  Subscription route = guest.subscribe("a.*");
  restart.join();
  EXPECT_EQ(route.drain().outcome(), DrainOutcome::empty);
}

TEST(ComingBack, a_question_gives_up_at_its_time_out) {
  Lives lives;
  AttachOptions options = lives.options();
  options.timeout = milliseconds(30);
  Guest guest = Guest::attach(std::move(options));
  lives.die();
  const auto sentence = expect_error(ErrorCode::disconnected, [&] { guest.open_gate(); });
  EXPECT_NE(sentence.find("may still"), std::string::npos) << sentence;
}

TEST(ComingBack, R34_a_subscription_that_is_dropped_meanwhile_ends) {
  Lives lives;
  Guest guest = lives.attach();
  std::optional<Subscription> dropped = guest.subscribe("a.*");
  Subscription kept = guest.subscribe("b.*");
  lives.die();
  EXPECT_EQ(dropped->wait(milliseconds(5)), WaitOutcome::timeout);
  dropped.reset();
  auto& next = lives.begin();
  guest.open_gate();
  EXPECT_EQ(next.broker().count(Kind::unsubscribe), 1U);
  EXPECT_EQ(next.broker().count(Kind::resume_route), 1U);
  lives.restart();
  guest.open_gate();
}

TEST(ComingBack, a_route_that_was_unsubscribed_is_not_asked_for) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  guest.unsubscribe(route);
  auto& next = lives.restart();
  guest.open_gate();
  EXPECT_EQ(next.broker().count(Kind::resume_route), 0U);
  EXPECT_EQ(route.wait(), WaitOutcome::closed);
}

TEST(ComingBack, R34_a_forked_child_does_not) {
  Lives lives;
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  lives.restart();
  test::ChildProcess child([&]() -> std::string {
    const WaitOutcome outcome = route.wait(seconds(10));
    return outcome == WaitOutcome::disconnected ? "" : std::string(to_string(outcome));
  });
  EXPECT_EQ(child.result(), "");
  guest.open_gate();
  EXPECT_EQ(route.drain().outcome(), DrainOutcome::empty);
}

// ---- what was pushed ---------------------------------------------------------------------------

std::map<std::uint64_t, std::uint64_t> told(NextLife& life, std::size_t& packets) {
  std::map<std::uint64_t, std::uint64_t> found;
  packets = 0;
  for (const auto& packet : life.pushes()) {
    ++packets;
    EXPECT_EQ(packet.subscription, 1U);
    for (std::uint32_t i = 0; i < packet.count; ++i) {
      found[packet.pushes[i].outbox] = packet.pushes[i].number;
    }
  }
  return found;
}

class Pushes : public testing::TestWithParam<shm::Backing> {};

TEST_P(Pushes, R34_of_a_dead_brokers_sealed_segment_are_told_before_the_route_is_asked_for) {
  Lives lives;
  FakeRouteOptions options;
  options.backing = GetParam();
  options.lanes = 128;
  lives.first().set_route_options(options);
  Guest guest = lives.attach();
  Subscription route = guest.subscribe("a.*", kShortSleeps);
  auto& writer = lives.first().route(0).writer();
  for (std::uint64_t outbox = 1; outbox <= 100; ++outbox) {
    const auto lane = writer.open_lane("p" + std::to_string(outbox));
    ASSERT_TRUE(lane);
    for (std::uint64_t number = 1; number <= 2; ++number) {
      ASSERT_EQ(writer.append(*lane, {number, 1, outbox, outbox * 10 + number}, "a.b", {}),
                shm::RouteWriter::Append::ok);
    }
  }
  auto& next = lives.restart();
  guest.open_gate();
  std::size_t packets = 0;
  const auto found = told(next, packets);
  if (GetParam() == shm::Backing::named) {
    EXPECT_EQ(packets, 0U) << "the broker reads that by itself";
    return;
  }
  EXPECT_EQ(packets, 3U);
  ASSERT_EQ(found.size(), 100U);
  for (const auto& [outbox, number] : found) EXPECT_EQ(number, outbox * 10 + 2);
}

INSTANTIATE_TEST_SUITE_P(Resume, Pushes, testing::Values(shm::Backing::named, shm::Backing::sealed),
                         [](const auto& instance) {
                           return instance.param == shm::Backing::named ? "named" : "sealed";
                         });

}  // namespace
}  // namespace fairlead::guest
