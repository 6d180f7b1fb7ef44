// Who sleeps notices that the broker is gone, long before the longest sleep is over.
#include <future>
#include <thread>
#include <vector>

#include "resume/lives.hpp"
#include "support/doorbell_sleeper.hpp"

namespace fairlead::guest {
namespace {

constexpr WaitSettings kLongSleeps{.longest_sleep = seconds(300)};

class Notice : public testing::Test {
 protected:
  FakeRoute& old(std::size_t index = 0) { return lives_.first().route(index); }
  /// Waits in a thread, and returns once that thread sleeps on sockets.
  std::future<WaitOutcome> watch_in_thread() {
    const std::uint32_t before = old().cursors().arm_count.load();
    auto waited = std::async(std::launch::async, [this] { return route_.wait(seconds(30)); });
    while (old().cursors().arm_count.load() == before &&
           waited.wait_for(seconds(0)) != std::future_status::ready)
      std::this_thread::yield();
    return waited;
  }

  Lives lives_;
  Guest guest_ = lives_.attach();
  Subscription route_ = guest_.subscribe("a.*", {.waiting = kLongSleeps});
};

TEST_F(Notice, R34_a_thread_that_waits_long_goes_on_with_the_next_broker_at_once) {
  auto waited = watch_in_thread();
  auto& next = lives_.restart();
  ASSERT_TRUE(next.broker().wait_for(Kind::acknowledge, 1));
  next.route().publish("p", "a.b", "x");
  EXPECT_EQ(waited.get(), WaitOutcome::ready);
  EXPECT_EQ(texts(route_.drain()), std::vector<std::string>{"x"});
}

TEST_F(Notice, R28_a_thread_that_waits_long_is_woken_by_each_message) {
  for (int message = 0; message < 3; ++message) {
    auto waited = watch_in_thread();
    old().publish("p", "a.b", "x");
    EXPECT_EQ(waited.get(), WaitOutcome::ready);
    EXPECT_EQ(route_.drain().size(), 1U);
  }
}

TEST_F(Notice, R28_a_route_that_ends_wakes_a_thread_that_waits_long) {
  auto waited = watch_in_thread();
  old().close();
  EXPECT_EQ(waited.get(), WaitOutcome::closed);
}

TEST_F(Notice, the_socket_that_is_watched_is_not_the_users) {
  EXPECT_EQ(route_.descriptor(), -1);
  EXPECT_FALSE(route_.share().wake_up);
  EXPECT_EQ(route_.drain().outcome(), DrainOutcome::empty);
  EXPECT_EQ(old().cursors().arm_count.load(), 0U) << "a drain asks for no signal";
}

/// Refuses all subscriptions, and notes which of them wanted a socket.
std::vector<std::uint32_t> wishes_refused(Lives& lives, Guest& guest, ErrorCode code) {
  std::vector<std::uint32_t> wishes;
  lives.first().on(Kind::subscribe, [&](auto& session, const Header& header, auto packet) {
    wishes.push_back(test::packet_as<control::Subscribe>(packet).wants_descriptor);
    session.refuse(header.request, code, "no");
  });
  test::expect_error(code, [&] { (void)guest.subscribe("b"); });
  return wishes;
}

TEST_F(Notice, one_route_of_a_guest_costs_the_broker_a_socket_for_it) {
  EXPECT_EQ(wishes_refused(lives_, guest_, ErrorCode::limit), (std::vector<std::uint32_t>{0}));
}

TEST(NoticeByQuota, R32_who_has_no_descriptor_left_for_it_does_without) {
  Lives lives;
  Guest guest = lives.attach();
  EXPECT_EQ(wishes_refused(lives, guest, ErrorCode::quota_exceeded),
            (std::vector<std::uint32_t>{1, 0}));
}

TEST_F(Notice, R34_who_finds_the_broker_gone_wakes_those_who_sleep) {
  test::DoorbellSleeper sleeper(old().writer().header().doorbell);
  lives_.die();
  EXPECT_EQ(guest_.presence(), Presence::away);
  EXPECT_EQ(sleeper.outcome(), shm::DoorbellOutcome::roused);
}

}  // namespace
}  // namespace fairlead::guest
