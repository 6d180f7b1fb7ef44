// Why the broker hung up: the guest can read it.
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "guest/guest_fixture.hpp"
#include "support/test_broker.hpp"

namespace fairlead::guest {
namespace {

constexpr std::string_view kPolicy =
    "[broker]\nattach_deadline_ms = 100\n[[principal]]\nname = \"alice\"\nminted = true\n"
    "subscribe = [\"*\"]\n";

// A guest, and a second way to say something over its connection.
struct Wired {
  explicit Wired(test::TestBroker& broker)
      : socket(broker->connect("alice")),
        wire(::dup(socket.get())),
        guest(Guest::attach(over(std::move(socket)))) {}
  void say(const std::vector<std::byte>& bytes) const {
    EXPECT_EQ(shm::send_packet(wire.get(), bytes), shm::SendOutcome::sent);
  }
  void wait_for_the_end() const {
    const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
    while (guest.connected() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    EXPECT_FALSE(guest.connected());
  }
  shm::UniqueFd socket;
  shm::UniqueFd wire;
  Guest guest;
};

TEST(Farewell, a_guest_that_is_thrown_out_for_what_it_sent_learns_what_that_was) {
  test::TestBroker broker({.policy = std::string(kPolicy)});
  for (const bool asks_at_once : {true, false}) {
    Wired wired(broker);
    wired.say(std::vector<std::byte>(100));
    // The broker closes the socket with these unread in it, or nearly.
    const std::vector<std::byte> more(24);
    for (int count = 0; count < 20; ++count) (void)shm::send_packet(wired.wire.get(), more);
    if (!asks_at_once) wired.wait_for_the_end();
    const auto said = expect_error(ErrorCode::protocol, [&] { (void)wired.guest.subscribe("t"); });
    EXPECT_EQ(said, "it sent a packet that is not one of the protocol's");
    EXPECT_EQ(expect_error(ErrorCode::protocol, [&] { (void)wired.guest.subscribe("t"); }), said);
  }
}

TEST(Farewell, a_guest_that_the_policy_does_not_want_any_more_learns_that) {
  test::TestBroker broker({.policy = std::string(kPolicy)});
  Wired wired(broker);
  broker.write_policy("[[principal]]\nname = \"bob\"\nminted = true\n");
  broker->reload_policy();
  wired.wait_for_the_end();
  const auto said = expect_error(ErrorCode::denied, [&] { (void)wired.guest.subscribe("t"); });
  EXPECT_NE(said.find("the policy was reloaded: "), said.npos) << said;
  EXPECT_NE(said.find("alice"), said.npos) << said;
}

TEST(Farewell, who_is_turned_away_before_its_hello_learns_why) {
  test::TestBroker broker({.listening = true});
  std::vector<std::unique_ptr<test::RawGuest>> silent;
  for (int count = 0; count < 32; ++count)
    silent.push_back(std::make_unique<test::RawGuest>(broker.socket_path()));
  ASSERT_TRUE(broker.wait_until([](const auto& now) { return now.connections == 32; }));
  const auto said = expect_error(
      ErrorCode::limit, [&] { (void)Guest::attach({.socket_path = broker.socket_path()}); });
  EXPECT_EQ(said, "too many connections wait to say hello: try again later");
}

}  // namespace
}  // namespace fairlead::guest
