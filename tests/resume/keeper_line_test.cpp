// A guest without access to any file comes back over its keeper's descriptor.
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <thread>

#include <fairlead/shm/control_socket.hpp>

#include "keeper_protocol.hpp"
#include "resume/lives.hpp"
#include "support/child_process.hpp"
#include "way_back.hpp"

namespace fairlead::guest {
namespace {

namespace protocol = keeper_protocol;

class KeeperLine : public testing::Test {
 protected:
  KeeperLine() {
    auto [ours, guests] = shm::control_pair();
    ours_ = std::move(ours);
    guests_ = std::move(guests);
  }

  /// The guest's next question; false when it hung up, or after 30 seconds.
  bool asked() {
    std::array<std::byte, 1> question{};
    const auto got = shm::receive_packet_until(ours_.get(), question, 0,
                                               std::chrono::steady_clock::now() + seconds(30));
    return got.outcome == shm::ReceiveOutcome::received && question[0] == protocol::kConnectMe;
  }
  void answer(std::byte word, const shm::UniqueFd& connection = {}) {
    const std::array<int, 1> descriptors{connection.get()};
    (void)shm::send_packet(ours_.get(), std::span(&word, 1),
                           std::span<const int>(descriptors).first(connection ? 1 : 0));
  }

  FakeBroker broker_;
  shm::UniqueFd ours_;
  shm::UniqueFd guests_;
};

TEST_F(KeeperLine, a_connection_is_asked_for_and_taken) {
  std::jthread keeper([&] {
    ASSERT_TRUE(asked());
    answer(protocol::kConnected, broker_.connect());
  });
  shm::UniqueFd connection = connect_by_keeper(guests_.get(), seconds(30));
  keeper.join();
  ASSERT_TRUE(connection);
  EXPECT_EQ(Guest::attach(over(std::move(connection))).welcome().broker, "fake");
}

TEST_F(KeeperLine, a_broker_that_is_not_there_is_told) {
  std::jthread keeper([&] {
    ASSERT_TRUE(asked());
    answer(protocol::kNotThere);
  });
  EXPECT_FALSE(connect_by_keeper(guests_.get(), seconds(30)));
  keeper.join();
}

TEST_F(KeeperLine, an_answer_that_comes_late_is_used_by_the_next_who_asks) {
  EXPECT_FALSE(connect_by_keeper(guests_.get(), milliseconds(1)));
  ASSERT_TRUE(asked());
  answer(protocol::kConnected, broker_.connect());
  EXPECT_TRUE(connect_by_keeper(guests_.get(), seconds(30)));
  std::byte unused{};
  EXPECT_LT(::recv(ours_.get(), &unused, 1, MSG_DONTWAIT), 0) << "asked although it had one";
}

TEST_F(KeeperLine, a_keeper_that_is_gone_is_no_way_back) {
  ours_.reset();
  EXPECT_FALSE(connect_by_keeper(guests_.get(), seconds(30)));
}

TEST_F(KeeperLine, an_answer_that_makes_no_sense_is_no_connection) {
  answer(std::byte{7}, broker_.connect());
  answer(protocol::kConnected);
  std::jthread keeper([&] {
    ASSERT_TRUE(asked());
    answer(std::byte{9});
  });
  EXPECT_FALSE(connect_by_keeper(guests_.get(), seconds(30)));
  keeper.join();
}

// Not in a child: that would have the broker's ends as well. The inherited connection can be taken
// once in a process, by this test.
TEST_F(KeeperLine, R34_a_guest_with_an_inherited_connection_comes_back_by_it) {
  Lives lives;
  shm::UniqueFd connection = lives.first().connect();
  ::setenv(kInheritedDescriptorVariable, std::to_string(connection.release()).c_str(), 1);
  ::setenv(kKeeperDescriptorVariable, std::to_string(guests_.get()).c_str(), 1);
  Guest guest = Guest::attach();
  ::unsetenv(kInheritedDescriptorVariable);
  ::unsetenv(kKeeperDescriptorVariable);
  Subscription route = guest.subscribe("a.*", {.waiting = {.longest_sleep = milliseconds(5)}});
  auto& next = lives.restart();
  std::jthread keeper([&] {
    ASSERT_TRUE(asked());
    answer(protocol::kNotThere);
    ASSERT_TRUE(asked());
    answer(protocol::kConnected, next.broker().connect());
    ASSERT_TRUE(next.broker().wait_for(Kind::acknowledge, 1));
    next.route().publish("p", "a.b", "x");
  });
  EXPECT_EQ(route.wait(seconds(30)), WaitOutcome::ready);
  keeper.join();
  EXPECT_EQ(texts(route.drain()), std::vector<std::string>{"x"});
}

class LateHello : public KeeperLine {
 protected:
  /// A connection to a broker that died since, and a keeper to ask.
  AttachOptions options() {
    AttachOptions options = over(broker_.connect());
    options.reconnect = [this](std::chrono::nanoseconds timeout) {
      return connect_by_keeper(guests_.get(), timeout);
    };
    broker_.hang_up();
    return options;
  }
};

TEST_F(LateHello, R34_a_guest_whose_broker_died_before_its_hello_asks_its_keeper) {
  FakeBroker next;
  std::jthread keeper([&] {
    ASSERT_TRUE(asked());
    answer(protocol::kNotThere);
    ASSERT_TRUE(asked());
    answer(protocol::kConnected, next.connect());
  });
  EXPECT_EQ(Guest::attach(options()).welcome().broker, "fake");
  keeper.join();
  EXPECT_TRUE(next.wait_for(Kind::hello, 1));
}

TEST_F(LateHello, R34_it_waits_no_longer_than_an_attach_may_take) {
  ours_.reset();
  AttachOptions late = options();
  late.timeout = milliseconds(50);
  test::expect_error(ErrorCode::disconnected, [&] { (void)Guest::attach(std::move(late)); });
}

TEST_F(LateHello, a_refusal_by_the_next_broker_is_the_answer) {
  FakeBroker next;
  next.on(Kind::hello, [](auto& session, const auto& header, auto) {
    session.refuse(header.request, ErrorCode::denied, "you are nobody here");
  });
  std::jthread keeper([&] {
    ASSERT_TRUE(asked());
    answer(protocol::kConnected, next.connect());
  });
  test::expect_error(ErrorCode::denied, [&] { (void)Guest::attach(options()); });
  keeper.join();
}

TEST_F(KeeperLine, a_variable_that_makes_no_sense_is_refused) {
  for (const char* value : {"seven", "-1", "1000", "0x"}) {
    test::ChildProcess child([&]() -> std::string {
      const shm::UniqueFd connection = broker_.connect();
      ::setenv(kInheritedDescriptorVariable, std::to_string(connection.get()).c_str(), 1);
      ::setenv(kKeeperDescriptorVariable, value, 1);
      try {
        (void)Guest::attach();
      } catch (const Error& error) {
        return error.code() == ErrorCode::invalid_argument ? "" : error.what();
      }
      return "attached";
    });
    EXPECT_EQ(child.result(), "") << value;
  }
}

}  // namespace
}  // namespace fairlead::guest
