// R34: how long a guest may take to come back, over all lives of the broker.
#include <gmock/gmock.h>

#include "returning.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using testing::ElementsAre;

class Grace : public Returning {
 protected:
  using Clock = std::shared_ptr<std::atomic<std::uint64_t>>;  // the broker outlives our members
  Grace() : Grace(std::make_shared<std::atomic<std::uint64_t>>(1'000'000'000)) {}
  explicit Grace(const Clock& clock)
      : Returning([clock](broker::BrokerOptions& options) {
          options.clock = [clock] { return clock->load(); };
        }),
        now_(*clock) {}
  std::atomic<std::uint64_t>& now_;
};

TEST_F(Grace, who_does_not_come_back_in_time_loses_its_routes_and_the_log_says_so) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  EXPECT_EQ(broker_->statistics().routes.size(), 1U);
  now_ += 31'000'000'000;
  auto wakes_it = attach();
  EXPECT_TRUE(broker_.logged("did not come back in time: its 1 routes"));
  EXPECT_TRUE(broker_.wait_until([](const auto& all) { return all.routes.empty(); }));
  EXPECT_EQ(attach(&first.welcome).welcome.resumed, 0U);
}

TEST_F(Grace, what_a_guest_that_is_back_does_not_ask_for_ends_as_well) {
  auto first = attach();
  const auto asked = first.guest->subscribe("t");
  const auto not_asked = first.guest->subscribe("u");
  broker_.restart();
  auto second = attach(&first.welcome);
  const auto again = resume(*second.guest, asked->answer.subscription);
  now_ += 31'000'000'000;
  auto wakes_it = attach();
  EXPECT_TRUE(broker_.logged("its guest came back and did not ask for it"));
  EXPECT_TRUE(broker_.wait_until([](const auto& all) { return all.routes.size() == 1; }));
  publish("t", "1");
  EXPECT_THAT(again->payloads(), ElementsAre("1"));
}

// The grace time ends while the same guest says hello: what was ordered about it finds nobody.
TEST_F(Grace, a_guest_that_is_replaced_as_its_time_ends_does_no_harm) {
  for (int round = 0; round < 20; ++round) {
    auto first = attach();
    const auto asked = first.guest->subscribe("t");
    const auto not_asked = first.guest->subscribe("u");
    broker_.restart();
    auto second = attach(&first.welcome);
    ASSERT_TRUE(resume(*second.guest, asked->answer.subscription));
    std::vector<std::unique_ptr<RawGuest>> many;
    for (int each = 0; each < 16; ++each)
      many.push_back(std::make_unique<RawGuest>(broker_.socket_path()));
    now_ += 31'000'000'000;
    for (const auto& guest : many) {
      auto hello = guest->hello_packet("alice");
      std::memcpy(hello.resume_token, first.welcome.resume_token, sizeof hello.resume_token);
      guest->send(hello);
    }
    for (const auto& guest : many) (void)guest->receive();
  }
}

TEST_F(Grace, time_that_brokers_waited_is_not_given_again_by_the_next_one) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  now_ += 20'000'000'000;
  { auto wakes_it = attach(); }
  broker_.restart();
  EXPECT_EQ(broker_->statistics().routes.size(), 1U);
  now_ += 11'000'000'000;
  auto wakes_it = attach();
  EXPECT_TRUE(broker_.logged("did not come back in time: its 1 routes"));
  EXPECT_TRUE(broker_.wait_until([](const auto& all) { return all.routes.empty(); }));
}

TEST_F(Grace, time_without_a_broker_is_given) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  now_ += 20'000'000'000;
  { auto wakes_it = attach(); }
  broker_.restart([this] { now_ += 3'600'000'000'000; });
  now_ += 9'000'000'000;
  { auto wakes_it = attach(); }
  EXPECT_EQ(broker_->statistics().routes.size(), 1U);
}

TEST_F(Grace, who_came_back_in_between_has_all_the_time_again) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  now_ += 20'000'000'000;
  {
    auto second = attach(&first.welcome);
    ASSERT_TRUE(resume(*second.guest, route->answer.subscription));
    broker_.restart();
  }
  now_ += 20'000'000'000;
  { auto wakes_it = attach(); }
  EXPECT_EQ(broker_->statistics().routes.size(), 1U);
}

TEST_F(Grace, who_is_dead_goes_in_the_end_however_short_the_lives_of_brokers_are) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  int lives = 0;
  do {
    broker_.restart();
    ++lives;
  } while (!broker_->statistics().routes.empty() && lives < 400);
  EXPECT_EQ(lives, 301) << "a tenth of a second each";
  EXPECT_TRUE(broker_.logged("its guest did not come back in time"));
  // Its line is free once: two more have one each.
  auto next = attach();
  const auto one = next.guest->subscribe("t");
  const auto other = next.guest->subscribe("u");
  broker_.restart();
  EXPECT_EQ(broker_->statistics().routes.size(), 2U);
}

class ShortGrace : public Returning {
 protected:
  ShortGrace()
      : Returning({},
                  "[broker]\nresume_grace_seconds = 1\n[[principal]]\nname = \"alice\"\n"
                  "uid = \"self\"\nsubscribe = [\"*\"]\nadmission = \"all\"\n") {}
};

TEST_F(ShortGrace, it_ends_also_when_nothing_else_happens) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  EXPECT_EQ(broker_->statistics().routes.size(), 1U);
  EXPECT_TRUE(broker_.wait_until([](const auto& all) { return all.routes.empty(); }));
}

}  // namespace
}  // namespace fairlead::test
