// R34, second sentence: the next broker of a name goes on with what the last one left.
#include <gmock/gmock.h>

#include <fairlead/shm/route_remains.hpp>

#include "returning.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using testing::ElementsAre;
using testing::IsEmpty;

class Return : public Returning {};

TEST_F(Return, R34_a_route_admits_before_its_guest_is_back_and_nothing_comes_twice) {
  auto first = attach();
  const auto before = first.guest->subscribe("t.*");
  publish("t.a", "1");
  publish("t.a", "2");
  broker_.restart();
  publish("t.a", "3");
  auto second = attach(&first.welcome);
  EXPECT_EQ(second.welcome.resumed, 1U);
  EXPECT_EQ(second.welcome.epoch, first.welcome.epoch + 1);
  publish("t.a", "4");
  EXPECT_THAT(before->payloads(), ElementsAre("1", "2")) << "drained from its own mapping";
  const auto after = resume(*second.guest, before->answer.subscription);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->answer.claimed_epoch, first.welcome.epoch);
  publish("t.a", "5");
  EXPECT_THAT(after->payloads(), ElementsAre("3", "4", "5"));
}

TEST_F(Return, R34_a_segment_is_filled_only_when_its_guest_has_it) {
  auto first = attach();
  const auto before = first.guest->subscribe("t");
  broker_.restart();
  publish("t", "1");
  auto second = attach(&first.welcome);
  const auto offered = ask_for(*second.guest, before->answer.subscription);
  ASSERT_TRUE(offered);
  EXPECT_EQ(offered->header().state.load(), shm::RouteState::filling);
  broker_.restart();  // what was offered and not acknowledged counts for nothing
  publish("t", "2");
  auto third = attach(&first.welcome);
  EXPECT_EQ(third.welcome.resumed, 1U);
  const auto after = resume(*third.guest, before->answer.subscription);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->answer.claimed_epoch, first.welcome.epoch);
  EXPECT_THAT(after->payloads(), ElementsAre("1", "2"));
  EXPECT_THAT(offered->payloads(), IsEmpty());
}

TEST_F(Return, R34_what_waits_is_carried_through_any_number_of_restarts_with_its_losses) {
  auto first = attach();
  auto packet = first.guest->subscribe_packet("t");
  packet.budget_bytes = 4'096;
  const auto before = first.guest->subscribe(packet);
  broker_.restart();
  for (int number = 0; number < 10; ++number)
    publish("t", std::to_string(number) + std::string(999, 'x'));
  broker_.restart();
  broker_.restart();
  publish("t", "last");
  auto second = attach(&first.welcome);
  const auto after = resume(*second.guest, before->answer.subscription);
  ASSERT_TRUE(after);
  std::vector<shm::MessageView> views;
  shm::RouteReader::Ticket ticket = 0;
  shm::RouteReader::EndedLoss ended;
  ASSERT_EQ(after->reader().drain(1 << 20, 100, views, ticket, ended),
            shm::RouteReader::Outcome::ok);
  ASSERT_EQ(views.size(), 5U);
  EXPECT_EQ(views[0].lost_messages(), 6U);
  EXPECT_EQ(views[0].lost_bytes(), 6U * 1'001);
  EXPECT_EQ(views[0].text().substr(0, 1), "6");
  EXPECT_EQ(views[4].text(), "last");
  EXPECT_EQ(ended.messages, 0U);
  after->reader().release(ticket, views.size());
}

TEST_F(Return, R34_a_message_that_some_routes_have_goes_only_into_the_others) {
  auto publisher = attach();
  auto outbox = publisher.guest->open_outbox();
  auto roomy = attach();
  const auto has_it = roomy.guest->subscribe("t");
  auto full = attach();
  auto packet = full.guest->subscribe_packet("t");
  packet.eviction = shm::EvictionPolicy::reject;
  packet.budget_bytes = 4'096;
  const auto lacks_it = full.guest->subscribe(packet);
  publish("t", std::string(4'000, 'x'), "carol");
  ASSERT_EQ(has_it->payloads().size(), 1U);
  outbox->write("t", std::string(1'000, 'y'), UINT64_MAX);
  publisher.guest->publish(*outbox);
  EXPECT_EQ(has_it->drain_until(1).size(), 1U) << "and the other route is full";
  broker_.restart();
  EXPECT_EQ(lacks_it->payloads().size(), 1U) << "of the last epoch, where it would have waited";
  auto again = attach(&publisher.welcome);
  outbox = resume_outbox(*again.guest, *outbox, 1);
  ASSERT_TRUE(outbox);
  const shm::Receipt& receipt = again.guest->publish(*outbox, "t", std::string(1'000, 'y'));
  EXPECT_EQ(receipt.matched.load(), 2U);
  EXPECT_EQ(receipt.taken.load(), 2U);
  auto roomy_again = attach(&roomy.welcome);
  const auto nothing = resume(*roomy_again.guest, has_it->answer.subscription);
  EXPECT_THAT(nothing->payloads(), IsEmpty());
  auto full_again = attach(&full.welcome);
  const auto it = resume(*full_again.guest, lacks_it->answer.subscription);
  EXPECT_EQ(it->payloads().size(), 1U);
}

TEST_F(Return, R13_gates_stay_as_they_were) {
  auto first = attach();
  auto packet = first.guest->subscribe_packet("t");
  packet.staged = 1;
  const auto staged = first.guest->subscribe(packet);
  const auto open = first.guest->subscribe("t");
  broker_.restart();
  publish("t", "1");
  auto second = attach(&first.welcome);
  const auto staged_again = resume(*second.guest, staged->answer.subscription);
  const auto open_again = resume(*second.guest, open->answer.subscription);
  second.guest->set_gate(true);
  publish("t", "2");
  EXPECT_THAT(staged_again->payloads(), ElementsAre("2"));
  EXPECT_THAT(open_again->payloads(), ElementsAre("1", "2"));
}

TEST_F(Return, an_unknown_token_makes_a_new_guest) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  control::Welcome forged = first.welcome;
  forged.resume_token[0] = static_cast<std::uint8_t>(~forged.resume_token[0]);
  broker_.restart();
  auto second = attach(&forged);
  EXPECT_EQ(second.welcome.resumed, 0U);
  EXPECT_EQ(ask_for(*second.guest, route->answer.subscription), nullptr);
}

TEST_F(Return, of_two_connections_of_a_guest_the_later_one_counts) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  publish("t", "1");
  auto given_up = attach(&first.welcome);
  auto second = attach(&first.welcome);
  EXPECT_EQ(second.welcome.resumed, 1U);
  const auto after = resume(*second.guest, route->answer.subscription);
  ASSERT_TRUE(after);
  EXPECT_THAT(after->payloads(), ElementsAre("1"));
  given_up.guest->plain(control::Kind::set_gate);
  EXPECT_TRUE(given_up.guest->hung_up());
  publish("t", "2");
  EXPECT_THAT(after->payloads(), ElementsAre("2"));
}

TEST_F(Return, R32_a_guest_that_says_hello_again_and_again_has_one_connection) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_.restart();
  std::vector<Attached> silent;
  for (int each = 0; each < 8; ++each) {
    silent.push_back(attach(&first.welcome));
    EXPECT_EQ(silent.back().welcome.resumed, 1U);
    if (each > 0) {
      EXPECT_TRUE(silent[silent.size() - 2].guest->hung_up());
    }
  }
  EXPECT_TRUE(resume(*silent.back().guest, route->answer.subscription));
}

TEST_F(Return, R32_two_offers_under_one_request_number_are_against_the_rules) {
  auto first = attach();
  const auto one = first.guest->subscribe("t");
  const auto other = first.guest->subscribe("t");
  broker_.restart();
  auto second = attach(&first.welcome);
  auto packet = second.guest->packet<control::ResumeRoute>(control::Kind::resume_route);
  for (const auto* route : {&one, &other}) {
    packet.subscription = (*route)->answer.subscription;
    second.guest->send(packet);
  }
  EXPECT_TRUE(broker_.logged("used a request number twice"));
}

TEST_F(Return, a_connection_that_breaks_before_it_has_its_routes_may_come_once_more) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  const auto outbox = first.guest->open_outbox();
  broker_.restart();
  {
    auto broken = attach(&first.welcome);
    EXPECT_EQ(broken.welcome.resumed, 1U);
  }
  ASSERT_TRUE(broker_.logged("hung up"));
  auto second = attach(&first.welcome);
  EXPECT_EQ(second.welcome.resumed, 1U);
  EXPECT_TRUE(resume(*second.guest, route->answer.subscription));
  EXPECT_TRUE(resume_outbox(*second.guest, *outbox, 1));
}

TEST_F(Return, a_clean_end_says_farewell_and_leaves_nothing) {
  auto first = attach();
  const auto route = first.guest->subscribe("t");
  broker_->stop();
  EXPECT_EQ(first.guest->receive().kind(), control::Kind::farewell);
  EXPECT_EQ(route->header().state.load(), shm::RouteState::closed);
  EXPECT_THAT(broker_.segments(), IsEmpty());
}

class SealedReturn : public Returning {
 protected:
  SealedReturn()
      : Returning([](broker::BrokerOptions& options) {
          options.backing = control::BackingWish::sealed;
        }) {}
};

TEST_F(SealedReturn, R34_what_its_guest_reports_as_pushed_before_is_not_given_to_it_again) {
  auto publisher = attach();
  auto outbox = publisher.guest->open_outbox();
  auto first = attach();
  const auto before = first.guest->subscribe("t");
  auto full = attach();
  auto packet = full.guest->subscribe_packet("t");
  packet.eviction = shm::EvictionPolicy::reject;
  packet.budget_bytes = 4'096;
  const auto lacks_it = full.guest->subscribe(packet);
  publish("t", std::string(4'090, 'x'), "carol");
  ASSERT_EQ(before->payloads().size(), 1U);
  outbox->write("t", "once", UINT64_MAX);
  publisher.guest->publish(*outbox);
  ASSERT_EQ(before->drain_until(1).size(), 1U);
  broker_.restart();
  auto again = attach(&publisher.welcome);
  auto resent = resume_outbox(*again.guest, *outbox, 1);
  ASSERT_TRUE(resent);
  EXPECT_EQ(again.guest->publish(*resent, "t", "once").taken.load(), 2U)
      << "one of them for a guest that is away and has it";
  auto second = attach(&first.welcome);
  const auto after = ask_for(*second.guest, before->answer.subscription);
  std::vector<shm::PushMark> marks;
  shm::RouteRemains(
      {reinterpret_cast<const std::byte*>(&before->header()), before->answer.route_segment_bytes},
      before->answer.lane_capacity)
      .add_pushes(marks);
  ASSERT_EQ(marks.size(), 1U);
  auto pushed = second.guest->packet<control::PushedBefore>(control::Kind::pushed_before);
  const std::uint64_t asked = pushed.header.request - 1;
  pushed.header.request = control::kNoAnswer;
  pushed.subscription = before->answer.subscription;
  pushed.count = 1;
  pushed.pushes[0] = marks[0];
  second.guest->send(pushed);
  second.guest->acknowledge(asked);
  while (after->header().state.load() == shm::RouteState::filling) std::this_thread::yield();
  EXPECT_THAT(after->payloads(), IsEmpty());
}

TEST_F(SealedReturn, R34_nor_if_its_publisher_sent_it_again_and_is_gone) {
  auto publisher = attach();
  auto outbox = publisher.guest->open_outbox();
  auto first = attach();
  const auto before = first.guest->subscribe("t");
  outbox->write("t", "once", UINT64_MAX);
  const std::uint64_t number = outbox->newest();
  publisher.guest->publish(*outbox);
  ASSERT_EQ(before->drain_until(1).size(), 1U);
  broker_.restart();
  auto again = attach(&publisher.welcome);
  auto resent = resume_outbox(*again.guest, *outbox, number);
  ASSERT_TRUE(resent);
  EXPECT_EQ(again.guest->publish(*resent, "t", "once").taken.load(), 1U);
  again.guest.reset();
  ASSERT_TRUE(broker_.logged("hung up"));
  auto second = attach(&first.welcome);
  const auto after = ask_for(*second.guest, before->answer.subscription);
  ASSERT_TRUE(after);
  auto pushed = second.guest->packet<control::PushedBefore>(control::Kind::pushed_before);
  const std::uint64_t asked = pushed.header.request - 1;
  pushed.header.request = control::kNoAnswer;
  pushed.subscription = before->answer.subscription;
  pushed.count = 1;
  pushed.pushes[0] = {outbox->answer.outbox, number};
  second.guest->send(pushed);
  second.guest->acknowledge(asked);
  while (after->header().state.load() == shm::RouteState::filling) std::this_thread::yield();
  EXPECT_THAT(after->payloads(), IsEmpty());
}

}  // namespace
}  // namespace fairlead::test
