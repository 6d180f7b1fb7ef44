// R32: what guests that come back are charged.
#include <gmock/gmock.h>

#include "returning.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using testing::ElementsAre;

// As long as a name may be: its quotas go by "<family> of uid <number>".
const std::string kLongestName(shm::kMaximumPrincipalBytes, 'a');

class FamilyReturn : public Returning {
 protected:
  FamilyReturn()
      : Returning({}, "[[principal]]\nname = \"" + kLongestName.substr(0, kLongestName.size() - 1) +
                          "*\"\nuid = \"self\"\nsubscribe = [\"*\"]\nadmission = \"all\"\n"
                          "quota = { routes = 2 }\n") {}
};

TEST_F(FamilyReturn, R32_those_who_chose_their_own_name_come_back_and_share_one_quota_still) {
  auto first = attach(nullptr, kLongestName);
  const auto before = first.guest->subscribe("t");
  broker_.restart();
  publish("t", "1");
  auto second = attach(&first.welcome, kLongestName);
  ASSERT_EQ(second.welcome.resumed, 1U);
  const auto after = resume(*second.guest, before->answer.subscription);
  ASSERT_TRUE(after);
  EXPECT_THAT(after->payloads(), ElementsAre("1"));
  auto other = attach(nullptr, kLongestName.substr(0, kLongestName.size() - 1) + "b");
  const auto second_of_two = other.guest->subscribe("t");
  other.guest->send(other.guest->subscribe_packet("t"));
  EXPECT_EQ(other.guest->receive().kind(), control::Kind::refused);
}

class OneRoute : public Returning {
 protected:
  OneRoute()
      : Returning({},
                  "[[principal]]\nname = \"alice\"\nuid = \"self\"\nsubscribe = [\"*\"]\n"
                  "admission = \"all\"\nquota = { routes = 1, attaches_per_minute = 9 }\n") {}
};

TEST_F(OneRoute, R32_a_route_that_was_offered_in_vain_is_charged_as_long_as_it_waits) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  {
    auto second = attach(&first.welcome);
    ASSERT_TRUE(ask_for(*second.guest, route->answer.subscription));
  }
  ASSERT_TRUE(broker_.logged("hung up"));
  auto other = attach();
  other.guest->send(other.guest->subscribe_packet("t"));
  EXPECT_EQ(other.guest->receive().kind(), control::Kind::refused);
  auto third = attach(&first.welcome);
  EXPECT_TRUE(resume(*third.guest, route->answer.subscription));
}

TEST_F(OneRoute, R32_to_come_back_once_more_costs_the_rate_of_attaches) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  int came_back = 0;
  for (; came_back < 100; ++came_back) {
    RawGuest again(broker_.socket_path());
    auto hello = again.hello_packet("alice");
    std::memcpy(hello.resume_token, first.welcome.resume_token, sizeof hello.resume_token);
    again.send(hello);
    if (again.receive().kind() == control::Kind::refused) break;
  }
  EXPECT_GT(came_back, 1);
  EXPECT_LT(came_back, 100);
}

class SlowPublisher : public Returning {
 protected:
  SlowPublisher()
      : Returning({},
                  "[[principal]]\nname = \"alice\"\nuid = \"self\"\npublish = [\"*\"]\n"
                  "publish_rate_bytes_per_second = 1\npublish_burst_bytes = 1000\n") {}
};

TEST_F(SlowPublisher, R31_what_is_sent_again_is_free_once) {
  auto first = attach();
  const auto outbox = first.guest->open_outbox();
  broker_.restart();
  int accepted = 0;
  for (int each = 0; each < 3; ++each) {
    auto again = attach(&first.welcome);
    auto packet = again.guest->packet<control::ResumeOutbox>(control::Kind::resume_outbox);
    packet.outbox = outbox->answer.outbox;
    packet.ring_bytes = outbox->answer.ring_bytes;
    packet.first_number = 1;
    again.guest->send(packet);
    Reply reply = again.guest->receive();
    ASSERT_EQ(reply.kind(), control::Kind::outbox_opened);
    RawOutbox ring(reply.as<control::OutboxOpened>(), std::move(reply.descriptors));
    const shm::Receipt& receipt = again.guest->publish(ring, "t", std::string(900, 'x'));
    accepted += receipt.first_refusal.load() == shm::Refusal::none ? 1 : 0;
  }
  EXPECT_EQ(accepted, 2) << "one that may have been paid before, and one within the burst";
}

}  // namespace
}  // namespace fairlead::test
