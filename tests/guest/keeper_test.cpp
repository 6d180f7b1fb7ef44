// The keeper's side of FAIRLEAD_KEEPER_FD: what a guest gets there, and what a hostile one does
// not.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <span>

#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/control_socket.hpp>

#include "guest/guest_fixture.hpp"
#include "keeper_protocol.hpp"

namespace fairlead::guest {
namespace {

using shm::ReceiveOutcome;
using test::control::Header;
using test::control::Kind;
using test::control::Mint;
using test::control::Plain;
using Packet = std::span<const std::byte>;
using Clock = std::chrono::steady_clock;

class KeptGuest : public testing::Test {
 protected:
  KeptGuest() : keeper_(path_, "agent.scout"), guest_(::fcntl(keeper_.guests_end(), F_DUPFD, 3)) {
    keeper_.close_guests_end();
  }

  void start_broker() {
    broker_.on(Kind::mint, [&](FakeSession& session, const Header& header, Packet packet) {
      minted_ = std::string(test::packet_as<Mint>(packet).principal.view());
      session.answer(Kind::done, header.request, Plain{});
    });
    broker_.listen(path_);
  }

  void say(std::size_t bytes, std::byte value, std::span<const int> descriptors = {}) {
    std::array<std::byte, 2> packet{value, value};
    (void)shm::send_packet(guest_.get(), std::span(packet).first(bytes), descriptors);
  }
  void ask() { say(1, keeper_protocol::kConnectMe); }

  // Lets the keeper work, as a program does that polls it. False when it has done with the guest.
  bool serve_for(milliseconds patience) {
    pollfd entry{keeper_.descriptor(), POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(patience.count())) <= 0 || keeper_.serve();
  }

  struct Answer {
    std::byte word{255};
    std::vector<shm::UniqueFd> descriptors;
  };
  // Nothing when the keeper has closed the link.
  std::optional<Answer> answer() {
    const auto deadline = Clock::now() + seconds(30);
    while (Clock::now() < deadline) {
      std::array<std::byte, 8> packet{};
      auto received = shm::receive_packet(guest_.get(), packet, 1);
      if (received.outcome == ReceiveOutcome::received) {
        return Answer{packet[0], std::move(received.descriptors)};
      }
      if (received.outcome != ReceiveOutcome::nothing) return std::nullopt;
      (void)serve_for(milliseconds(20));
    }
    ADD_FAILURE() << "no answer";
    return std::nullopt;
  }

  const std::string path_ = "/tmp/fairlead-keeper-test." + std::to_string(::getpid()) + ".sock";
  FakeBroker broker_;
  std::string minted_;
  Keeper keeper_;
  shm::UniqueFd guest_;
};

TEST_F(KeptGuest, gets_a_connection_whose_principal_is_fixed) {
  start_broker();
  ask();
  auto answered = answer();
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->word, keeper_protocol::kConnected);
  EXPECT_EQ(minted_, "agent.scout");
  ASSERT_EQ(answered->descriptors.size(), 1U);
  EXPECT_EQ(Guest::attach(over(std::move(answered->descriptors[0]))).welcome().broker, "fake");
}

TEST_F(KeptGuest, is_told_while_no_broker_is_there_and_asks_again) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    ask();
    const auto answered = answer();
    ASSERT_TRUE(answered);
    EXPECT_EQ(answered->word, keeper_protocol::kNotThere);
    EXPECT_TRUE(answered->descriptors.empty());
  }
  start_broker();
  ask();
  EXPECT_EQ(answer()->word, keeper_protocol::kConnected);
}

TEST_F(KeptGuest, is_told_when_the_broker_refuses_to_mint) {
  broker_.on(Kind::mint, [](FakeSession& session, const Header& header, Packet) {
    session.refuse(header.request, ErrorCode::denied, "uid 7 mints nobody");
  });
  broker_.listen(path_);
  ask();
  const auto answered = answer();
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->word, keeper_protocol::kNotThere);
  EXPECT_TRUE(answered->descriptors.empty());
}

TEST_F(KeptGuest, a_broker_that_does_not_answer_keeps_neither_the_keeper_nor_the_guest_waiting) {
  broker_.on(Kind::mint, [](FakeSession&, const Header&, Packet) {});
  broker_.listen(path_);
  ask();
  const auto begun = Clock::now();
  ASSERT_TRUE(keeper_.serve());
  ASSERT_TRUE(broker_.wait_for(Kind::mint, 1));
  ASSERT_TRUE(keeper_.serve());
  EXPECT_LT(Clock::now() - begun, Keeper::kPatience / 2) << "it has signals to pass on";
  EXPECT_EQ(answer()->word, keeper_protocol::kNotThere);
  EXPECT_GE(Clock::now() - begun, Keeper::kPatience);
}

TEST_F(KeptGuest, has_one_answer_waiting_at_most) {
  start_broker();
  ask();
  pollfd unread{guest_.get(), POLLIN, 0};
  while (::poll(&unread, 1, 0) == 0) ASSERT_TRUE(serve_for(milliseconds(20)));
  for (int more = 0; more < 20; ++more) {
    ask();
    ASSERT_TRUE(serve_for(milliseconds(1)));
  }
  EXPECT_EQ(broker_.count(Kind::mint), 1U) << "descriptors on their way count for the whole user";
  EXPECT_EQ(answer()->word, keeper_protocol::kConnected);
}

TEST_F(KeptGuest, gets_a_connection_a_second_in_the_long_run) {
  start_broker();
  const auto begun = Clock::now();
  for (int each = 0; each < 3; ++each) {
    ask();
    ASSERT_EQ(answer()->word, keeper_protocol::kConnected);
  }
  EXPECT_GE(Clock::now() - begun, milliseconds(900));
}

TEST_F(KeptGuest, makes_ten_attempts_a_second_in_the_long_run) {
  const auto begun = Clock::now();
  for (int each = 0; each < 16; ++each) {
    ask();
    ASSERT_EQ(answer()->word, keeper_protocol::kNotThere);
  }
  EXPECT_GE(Clock::now() - begun, milliseconds(400));
}

TEST_F(KeptGuest, that_floods_its_keeper_loses_it) {
  broker_.on(Kind::mint, [](FakeSession&, const Header&, Packet) {});
  broker_.listen(path_);
  bool served = true;
  for (int question = 0; question < 1'000 && served; ++question) {
    ask();
    served = keeper_.serve();
  }
  EXPECT_FALSE(served);
  EXPECT_FALSE(answer()) << "the link is closed";
  EXPECT_FALSE(keeper_.serve());
}

TEST_F(KeptGuest, that_sends_a_descriptor_loses_its_keeper) {
  start_broker();
  const std::array<int, 1> sent = {STDERR_FILENO};
  say(1, keeper_protocol::kConnectMe, sent);
  // From Linux 6.16 on the sender is refused, and nothing has come.
  pollfd entry{keeper_.descriptor(), POLLIN, 0};
  if (::poll(&entry, 1, 0) == 0) GTEST_SKIP() << "this kernel did not let it send one";
  EXPECT_FALSE(keeper_.serve());
  EXPECT_EQ(broker_.count(Kind::mint), 0U);
}

TEST_F(KeptGuest, that_sends_another_byte_loses_its_keeper) {
  say(1, std::byte{2});
  EXPECT_FALSE(keeper_.serve());
}

TEST_F(KeptGuest, that_sends_a_longer_packet_loses_its_keeper) {
  say(2, keeper_protocol::kConnectMe);
  EXPECT_FALSE(keeper_.serve());
}

TEST_F(KeptGuest, that_is_gone_is_noticed_and_leaves_no_connection_behind) {
  broker_.on(Kind::mint, [](FakeSession&, const Header&, Packet) {});
  broker_.listen(path_);
  ask();
  ASSERT_TRUE(keeper_.serve());
  ASSERT_TRUE(broker_.wait_for(Kind::mint, 1));
  guest_.reset();
  pollfd entry{keeper_.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 30'000), 1);
  EXPECT_FALSE(keeper_.serve());
  EXPECT_TRUE(serve_for(milliseconds(1))) << "nothing is left to wait for";
}

TEST(KeeperOf, a_name_that_is_no_principal_is_refused) {
  expect_error(ErrorCode::invalid_principal, [] { const Keeper keeper("/tmp/x", "a b"); });
}

}  // namespace
}  // namespace fairlead::guest
