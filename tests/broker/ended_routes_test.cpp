// What a guest may still map of a route that has ended: whose it is, and until when.
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using control::Kind;

std::string alice_with(std::string_view quota) {
  return R"(
[[principal]]
name = "alice"
minted = true
publish = ["*"]
subscribe = ["*"]
admission = "all"
[principal.quota]
)" + std::string(quota);
}

class EndedRoutes : public testing::Test {
 protected:
  void unsubscribe(const RawRoute& route, std::uint32_t unmapped) {
    auto packet = guest_->packet<control::Unsubscribe>(Kind::unsubscribe);
    packet.subscription = route.answer.subscription;
    packet.unmapped = unmapped;
    guest_->send(packet);
  }
  bool may_subscribe(control::BackingWish backing = control::BackingWish::named) {
    auto packet = guest_->subscribe_packet("t");
    packet.backing = backing;
    guest_->send(packet);
    const Reply reply = guest_->receive();
    if (reply.kind() == Kind::refused) return false;
    EXPECT_EQ(reply.kind(), Kind::subscribed);
    guest_->acknowledge(packet.header.request);
    return true;
  }
  std::unique_ptr<RawRoute> filled_route() {
    auto route = guest_->subscribe("t");
    EXPECT_EQ(broker_->publish("bob", "t", std::string(100'000, 'x')).taken, 1U);
    return route;
  }
  static std::uint64_t file_bytes(const RawRoute& route) {
    struct stat file {};
    EXPECT_EQ(::fstat(route.route_descriptor(), &file), 0);
    return static_cast<std::uint64_t>(file.st_size);
  }

  TestBroker broker_{{.policy = alice_with("routes = 1")}};
  std::unique_ptr<RawGuest> guest_ = broker_.guest("alice");
};

TEST_F(EndedRoutes, R32_stay_charged_and_readable_until_their_guest_has_unmapped_them) {
  const auto route = filled_route();
  unsubscribe(*route, 0);
  guest_->done();
  EXPECT_EQ(broker_.segments().size(), 1U) << "the name is gone at once, the table stays";
  EXPECT_GT(file_bytes(*route), 100'000U);
  EXPECT_FALSE(may_subscribe());
  EXPECT_EQ(route->payloads(), std::vector<std::string>({std::string(100'000, 'x')}));
  unsubscribe(*route, 1);
  guest_->done();
  EXPECT_EQ(file_bytes(*route), shm::kRouteArenaOffset);
  EXPECT_TRUE(may_subscribe());
}

TEST_F(EndedRoutes, R32_that_nobody_maps_are_gone_at_once) {
  const auto route = filled_route();
  unsubscribe(*route, 1);
  guest_->done();
  EXPECT_EQ(file_bytes(*route), shm::kRouteArenaOffset);
  EXPECT_TRUE(may_subscribe());
}

TEST_F(EndedRoutes, are_taken_back_once_and_only_if_they_are_this_guests) {
  const auto route = filled_route();
  unsubscribe(*route, 0);
  guest_->done();
  unsubscribe(*route, 0);
  guest_->refusal(ErrorCode::not_found);
  unsubscribe(*route, 2);
  guest_->refusal(ErrorCode::invalid_argument);
  const auto other = broker_.guest("alice", 2);
  auto packet = other->packet<control::Unsubscribe>(Kind::unsubscribe);
  packet.subscription = route->answer.subscription;
  packet.unmapped = 1;
  other->send(packet);
  other->refusal(ErrorCode::not_found);
  EXPECT_GT(file_bytes(*route), 100'000U);
  unsubscribe(*route, 1);
  guest_->done();
  unsubscribe(*route, 1);
  guest_->refusal(ErrorCode::not_found);
}

TEST_F(EndedRoutes, R32_by_the_brokers_own_word_are_taken_back_likewise) {
  const auto route = filled_route();
  route->lane(0).head.store(1'000);
  (void)broker_->publish("bob", "t", "x");
  ASSERT_EQ(guest_->receive().kind(), Kind::ended);
  EXPECT_FALSE(may_subscribe());
  EXPECT_GT(file_bytes(*route), 100'000U);
  unsubscribe(*route, 1);
  guest_->done();
  EXPECT_EQ(file_bytes(*route), shm::kRouteArenaOffset);
  EXPECT_TRUE(may_subscribe());
}

TEST_F(EndedRoutes, of_a_guest_that_breaks_the_protocol_are_forfeited) {
  const auto route = filled_route();
  unsubscribe(*route, 0);
  guest_->done();
  guest_->plain(Kind::welcome);
  EXPECT_TRUE(guest_->hung_up());
  ASSERT_TRUE(broker_.wait_until([](const auto& now) { return now.guests.empty(); }));
  broker_.destroy();
  EXPECT_EQ(file_bytes(*route), shm::kRouteArenaOffset);
}

TEST_F(EndedRoutes, of_a_guest_that_hangs_up_are_left_alone) {
  const auto route = filled_route();
  unsubscribe(*route, 0);
  guest_->done();
  guest_->leave();
  ASSERT_TRUE(broker_.wait_until([](const auto& now) { return now.guests.empty(); }));
  broker_.destroy();
  EXPECT_GT(file_bytes(*route), 100'000U);
}

// A guest that drops routes says so in passing, and does not read its socket meanwhile.
TEST_F(EndedRoutes, what_wants_no_answer_gets_none_however_often_it_is_said) {
  constexpr int kPackets = 2'000;  // far more answers than a socket takes
  auto packet = guest_->packet<control::Unsubscribe>(Kind::unsubscribe);
  packet.header.request = control::kNoAnswer;
  packet.subscription = 77;  // none of its own
  for (int count = 0; count < kPackets; ++count) guest_->send(packet);
  const auto route = filled_route();  // the next thing that it reads is the answer to this
  packet.subscription = route->answer.subscription;
  guest_->send(packet);
  guest_->set_gate(true);
  EXPECT_TRUE(broker_->statistics().routes.empty());
  EXPECT_EQ(broker_->statistics().request_refusals, kPackets);
}

// Nobody can take back what is sealed, whatever its guest says.
TEST(SealedEndedRoutes, R32_stay_charged) {
  TestBroker broker({.policy = alice_with("total_budget_bytes = 6000000")});
  const auto guest = broker.guest("alice");
  auto packet = guest->subscribe_packet("t");
  packet.backing = control::BackingWish::sealed;
  const auto route = guest->subscribe(packet);
  auto leave = guest->packet<control::Unsubscribe>(Kind::unsubscribe);
  leave.subscription = route->answer.subscription;
  leave.unmapped = 1;
  guest->send(leave);
  guest->done();
  packet.header.request += 100;
  guest->send(packet);
  guest->refusal(ErrorCode::quota_exceeded);
}

}  // namespace
}  // namespace fairlead::test
