// Who a connection is (R08), and the wording of every refusal to attach.
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using control::Kind;

std::string own_uid() { return std::to_string(::geteuid()); }
std::string own_gid() { return std::to_string(::getegid()); }

std::string policy_for(std::string_view text) {
  std::string policy(text);
  for (std::size_t at = 0; (at = policy.find("OWN", at)) != std::string::npos;)
    policy.replace(at, 3, own_uid());
  return policy;
}

constexpr std::string_view kTwoUsers = R"(
[[principal]]
name = "alice"
uid = [OWN]
publish = ["*"]
subscribe = ["*"]
admission = "all"
[[principal]]
name = "bob"
uid = [4242]
[[principal]]
name = "agent.*"
minted = true
subscribe = ["agent.*"]
admission = "all"
[[minter]]
uid = [OWN]
names = ["agent.*"]
)";

TEST(Handshake, a_guest_is_welcomed_as_the_principal_that_the_policy_names_for_its_user) {
  TestBroker broker({.policy = policy_for(kTwoUsers), .listening = true});
  RawGuest guest(broker.socket_path());
  const control::Welcome welcome = guest.hello();
  EXPECT_EQ(welcome.principal.view(), "alice");
  EXPECT_EQ(welcome.broker.view(), broker.name());
  EXPECT_EQ(welcome.epoch, broker->epoch());
  EXPECT_NE(welcome.guest, 0U);
  EXPECT_FALSE(welcome.boundary_reason.view().empty());
  const auto statistics = broker->statistics();
  ASSERT_EQ(statistics.guests.size(), 1U);
  EXPECT_EQ(statistics.guests[0].process, ::getpid());
  EXPECT_EQ(statistics.guests[0].user, ::geteuid());
  EXPECT_EQ(statistics.guests[0].program, "raw_guest");
  EXPECT_TRUE(broker.logged("of alice: attached: pid " + std::to_string(::getpid())));
}

TEST(Handshake, R08_a_guest_cannot_attach_as_another_principal) {
  TestBroker broker({.policy = policy_for(kTwoUsers), .listening = true});
  RawGuest guest(broker.socket_path());
  guest.send(guest.hello_packet("bob"));
  EXPECT_EQ(
      guest.refusal(ErrorCode::denied),
      "uid " + own_uid() + " (gid " + own_gid() +
          ") may not attach as principal 'bob': its [[principal]] in the policy lists neither "
          "this uid nor this gid");
  EXPECT_TRUE(guest.hung_up());
  EXPECT_EQ(broker->statistics().attach_refusals, 1U);
}

TEST(Handshake, R08_a_minted_connection_cannot_become_anybody_else) {
  TestBroker broker({.policy = policy_for(kTwoUsers), .listening = true});
  RawGuest keeper(broker.socket_path());
  auto mint = keeper.packet<control::Mint>(Kind::mint);
  mint.principal.assign("agent.scout");
  keeper.send(mint);
  keeper.done();
  keeper.send(keeper.hello_packet("alice"));
  EXPECT_EQ(keeper.refusal(ErrorCode::denied),
            "this connection was minted for principal 'agent.scout' and cannot become principal "
            "'alice'");
  EXPECT_TRUE(keeper.hung_up());
}

TEST(Handshake, a_minted_connection_attaches_as_what_it_was_minted_for) {
  TestBroker broker({.policy = policy_for(kTwoUsers), .listening = true});
  RawGuest keeper(broker.socket_path());
  auto mint = keeper.packet<control::Mint>(Kind::mint);
  mint.principal.assign("agent.scout");
  keeper.send(mint);
  keeper.done();
  EXPECT_EQ(keeper.hello().principal.view(), "agent.scout");
}

TEST(Handshake, nobody_mints_what_the_policy_does_not_let_it_mint) {
  TestBroker broker({.policy = policy_for(kTwoUsers), .listening = true});
  RawGuest keeper(broker.socket_path());
  auto mint = keeper.packet<control::Mint>(Kind::mint);
  mint.principal.assign("bob");
  keeper.send(mint);
  EXPECT_EQ(keeper.refusal(ErrorCode::denied),
            "uid " + own_uid() + " (gid " + own_gid() +
                ") may not mint principal 'bob': no [[minter]] of the policy that lists it has a "
                "matching name");
  EXPECT_TRUE(keeper.hung_up());
}

TEST(Handshake, R08_a_connection_of_the_host_is_the_principal_that_the_host_says) {
  TestBroker broker;
  RawGuest guest(broker->connect("agent.scout"));
  guest.send(guest.hello_packet("system"));
  EXPECT_EQ(guest.refusal(ErrorCode::denied),
            "this connection was minted for principal 'agent.scout' and cannot become principal "
            "'system'");
  RawGuest again(broker->connect("agent.scout"));
  EXPECT_EQ(again.hello("agent.scout").principal.view(), "agent.scout");
}

TEST(Handshake, another_protocol_version_is_refused) {
  TestBroker broker;
  RawGuest guest(broker->connect("alice"));
  auto hello = guest.hello_packet();
  hello.protocol_version = 99;
  guest.send(hello);
  EXPECT_EQ(guest.refusal(ErrorCode::wrong_version),
            "the guest speaks protocol version 99, this broker version 2: use programs of one "
            "fairlead release");
  EXPECT_TRUE(guest.hung_up());
}

TEST(Handshake, another_layout_is_refused) {
  TestBroker broker;
  RawGuest guest(broker->connect("alice"));
  auto hello = guest.hello_packet();
  hello.layout_hash ^= 1;
  guest.send(hello);
  EXPECT_EQ(guest.refusal(ErrorCode::wrong_layout),
            "the guest was built with another struct layout than this broker: use programs of one "
            "fairlead release and architecture");
  EXPECT_TRUE(guest.hung_up());
}

TEST(Handshake, a_capsule_without_identity_is_refused) {
  TestBroker broker;
  RawGuest guest(broker->connect("alice"));
  guest.send(guest.hello_packet({}, 0));
  EXPECT_EQ(guest.refusal(ErrorCode::invalid_argument),
            "the capsule's UUID is all zero: give the guest one of its own");
  EXPECT_TRUE(guest.hung_up());
}

TEST(Handshake, the_host_cannot_vouch_for_whom_the_policy_does_not_know) {
  TestBroker broker({.policy = policy_for(kTwoUsers)});
  try {
    (void)broker->connect("mallory");
    ADD_FAILURE() << "connected";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::denied);
    EXPECT_STREQ(error.what(),
                 "principal 'mallory' is not in the policy: add a [[principal]] whose name matches "
                 "it");
  }
}

TEST(Handshake, who_says_nothing_is_disconnected_at_the_deadline) {
  TestBroker broker(
      {.policy = policy_for("[broker]\nattach_deadline_ms = 100\n" + std::string(kTwoUsers)),
       .listening = true});
  RawGuest silent(broker.socket_path());
  EXPECT_TRUE(silent.hung_up());
  EXPECT_EQ(broker->statistics().expired_deadlines, 1U);
  EXPECT_TRUE(broker.logged("disconnected: it did not say hello in time"));
}

TEST(Handshake, connections_that_wait_for_their_hello_are_limited_per_user) {
  TestBroker broker({.listening = true});
  std::vector<std::unique_ptr<RawGuest>> waiting;
  for (int index = 0; index < 32; ++index)
    waiting.push_back(std::make_unique<RawGuest>(broker.socket_path()));
  RawGuest one_more(broker.socket_path());
  EXPECT_EQ(one_more.refusal(ErrorCode::limit),
            "too many connections wait to say hello: try again later");
  waiting.front()->leave();
  ASSERT_TRUE(broker.wait_until([&](const auto&) {
    RawGuest next(broker.socket_path());
    next.send(next.hello_packet());
    return next.receive().kind() == Kind::welcome;
  }));
}

}  // namespace
}  // namespace fairlead::test
