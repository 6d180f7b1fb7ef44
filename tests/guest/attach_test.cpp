// Getting a connection, and every way in which that fails.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/layout/layout_hash.hpp>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using test::control::Header;
using test::control::Hello;
using test::control::Kind;
using test::control::Mint;
using test::control::Plain;
using Packet = std::span<const std::byte>;

std::string make_socket_path() {
  return "/tmp/fairlead-guest-test." + std::to_string(::getpid()) + ".sock";
}

TEST(Attach, introduces_the_program_and_tells_what_the_broker_said) {
  FakeBroker broker;
  Hello seen{};
  broker.on(Kind::hello, [&](FakeSession& session, const Header& header, Packet packet) {
    seen = test::packet_as<Hello>(packet);
    shm::control::Welcome welcome{};
    welcome.guest = 9;
    welcome.epoch = 4;
    welcome.boundary = shm::Boundary::enforced;
    welcome.broker.assign("harbour");
    welcome.principal.assign("alice");
    welcome.boundary_reason.assign("another uid");
    session.answer(Kind::welcome, header.request, welcome);
  });
  AttachOptions options = over(broker.connect());
  options.principal = "alice";
  options.program = "tester";
  options.capsule = shm::make_random_uuid();
  const shm::Uuid capsule = *options.capsule;
  const Guest guest = Guest::attach(std::move(options));

  EXPECT_EQ(seen.principal.view(), "alice");
  EXPECT_EQ(seen.program.view(), "tester");
  EXPECT_EQ(seen.capsule, capsule);
  EXPECT_EQ(seen.layout_hash, shm::kLayoutHash);
  EXPECT_EQ(guest.welcome().broker, "harbour");
  EXPECT_EQ(guest.welcome().epoch, 4U);
  EXPECT_EQ(guest.welcome().guest, 9U);
  EXPECT_EQ(guest.welcome().principal, "alice");
  EXPECT_EQ(guest.welcome().boundary, shm::Boundary::enforced);
  EXPECT_EQ(guest.welcome().boundary_reason, "another uid");
  EXPECT_TRUE(guest.connected());
}

TEST(Attach, invents_a_capsule_and_takes_the_programs_name) {
  FakeBroker broker;
  std::vector<Hello> seen;
  broker.on(Kind::hello, [&](FakeSession& session, const Header& header, Packet packet) {
    seen.push_back(test::packet_as<Hello>(packet));
    session.answer(Kind::welcome, header.request, shm::control::Welcome{});
  });
  const Guest one = attach_to(broker);
  const Guest two = attach_to(broker);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_NE(seen[0].capsule, seen[1].capsule);
  EXPECT_NE(seen[0].capsule, shm::Uuid{});
  EXPECT_EQ(seen[0].program.view(), ::program_invocation_short_name);
}

TEST(Attach, passes_the_brokers_refusal_on_word_by_word) {
  FakeBroker broker;
  broker.on(Kind::hello, [](FakeSession& session, const Header& header, Packet) {
    session.refuse(header.request, ErrorCode::denied, "uid 7 may not attach as bob: ask for alice");
    session.hung_up = true;
  });
  EXPECT_EQ(expect_error(ErrorCode::denied, [&] { attach_to(broker); }),
            "uid 7 may not attach as bob: ask for alice");
}

TEST(Attach, a_refusal_without_a_word_is_an_error_with_one) {
  for (const std::string_view nothing : {std::string_view(), std::string_view("\0no", 3)}) {
    FakeBroker broker;
    broker.on(Kind::hello, [&](FakeSession& session, const Header& header, Packet) {
      session.refuse(header.request, ErrorCode::denied, nothing);
    });
    EXPECT_EQ(expect_error(ErrorCode::denied, [&] { attach_to(broker); }),
              "the broker refuses it without a reason");
  }
}

TEST(Attach, a_refusal_code_of_a_newer_broker_is_denied) {
  FakeBroker broker;
  broker.on(Kind::hello, [](FakeSession& session, const Header& header, Packet) {
    session.refuse(header.request, static_cast<ErrorCode>(200), "no");
  });
  EXPECT_EQ(expect_error(ErrorCode::denied, [&] { attach_to(broker); }), "no");
}

TEST(Attach, a_broker_that_hangs_up_is_disconnected) {
  FakeBroker broker;
  broker.on(Kind::hello,
            [](FakeSession& session, const Header&, Packet) { session.hung_up = true; });
  expect_error(ErrorCode::disconnected, [&] { attach_to(broker); });
}

TEST(Attach, a_broker_that_says_nothing_is_a_timeout) {
  FakeBroker broker;
  broker.on(Kind::hello, [](FakeSession&, const Header&, Packet) {});
  expect_error(ErrorCode::timeout, [&] { attach_to(broker, milliseconds(20)); });
}

struct BadAnswer {
  const char* name;
  std::function<void(FakeSession&, const Header&)> send;
};

void PrintTo(const BadAnswer& answer, std::ostream* out) { *out << answer.name; }

class BadAnswers : public testing::TestWithParam<BadAnswer> {};

TEST_P(BadAnswers, are_a_breach_of_protocol) {
  FakeBroker broker;
  broker.on(Kind::hello, [](FakeSession& session, const Header& header, Packet) {
    GetParam().send(session, header);
  });
  expect_error(ErrorCode::protocol, [&] { attach_to(broker); });
}

shm::control::Welcome misshapen(std::uint32_t bytes) {
  shm::control::Welcome welcome{};
  welcome.header = {Kind::welcome, bytes, 1};
  return welcome;
}

INSTANTIATE_TEST_SUITE_P(
    Attach, BadAnswers,
    testing::Values(
        BadAnswer{"other_kind",
                  [](FakeSession& session, const Header& header) {
                    session.answer(Kind::done, header.request, Plain{});
                  }},
        BadAnswer{"other_kind_of_that_size",
                  [](FakeSession& session, const Header& header) {
                    session.answer(Kind::subscribed, header.request, shm::control::Welcome{});
                  }},
        BadAnswer{"other_request",
                  [](FakeSession& session, const Header& header) {
                    session.answer(Kind::welcome, header.request + 1, shm::control::Welcome{});
                  }},
        BadAnswer{"size_not_of_its_kind",
                  [](FakeSession& session, const Header& header) {
                    session.answer(Kind::welcome, header.request, Plain{});
                  }},
        BadAnswer{"size_lied_about",
                  [](FakeSession& session, const Header&) {
                    const auto packet = misshapen(8);
                    session.send(std::as_bytes(std::span(&packet, 1)));
                  }},
        BadAnswer{"too_short_for_a_header",
                  [](FakeSession& session, const Header&) {
                    const std::byte packet[4] = {};
                    session.send(packet);
                  }},
        BadAnswer{"longer_than_any_packet",
                  [](FakeSession& session, const Header&) {
                    const std::vector<std::byte> packet(2'000);
                    session.send(packet);
                  }},
        BadAnswer{"descriptors_nobody_asked_for",
                  [](FakeSession& session, const Header& header) {
                    session.answer(Kind::welcome, header.request, shm::control::Welcome{}, {0});
                  }},
        BadAnswer{"misshapen_refusal",
                  [](FakeSession& session, const Header& header) {
                    session.answer(Kind::refused, header.request, Plain{});
                  }},
        BadAnswer{
            "misshapen_news",
            [](FakeSession& session, const Header&) { session.answer(Kind::ended, 0, Plain{}); }}),
    [](const auto& instance) { return instance.param.name; });

TEST(Attach, a_bad_principal_never_leaves_the_process) {
  FakeBroker broker;
  AttachOptions options = over(broker.connect());
  options.principal = "two words";
  expect_error(ErrorCode::invalid_principal, [&] { (void)Guest::attach(std::move(options)); });
  EXPECT_EQ(broker.count(Kind::hello), 0U);
}

TEST(Attach, needs_a_path_or_an_inherited_descriptor) {
  test::ChildProcess child([] {
    ::unsetenv(kInheritedDescriptorVariable);
    return expect_error(ErrorCode::not_found, [] { (void)Guest::attach(); });
  });
  EXPECT_NE(child.result().find("fairlead run"), std::string::npos);
}

TEST(Attach, nobody_at_the_path_is_broker_gone) {
  AttachOptions options;
  options.socket_path = make_socket_path() + ".none";
  expect_error(ErrorCode::broker_gone, [&] { (void)Guest::attach(std::move(options)); });
}

TEST(Attach, connects_to_a_path) {
  FakeBroker broker;
  broker.listen(make_socket_path());
  AttachOptions options;
  options.socket_path = make_socket_path();
  EXPECT_EQ(Guest::attach(std::move(options)).welcome().broker, "fake");
}

TEST(Attach, a_descriptor_that_is_no_control_socket_is_refused) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const shm::UniqueFd other(ends[1]);
  expect_error(ErrorCode::invalid_argument,
               [&] { (void)Guest::attach(over(shm::UniqueFd(ends[0]))); });
}

// In children: each process may use its FAIRLEAD_FD once.
TEST(Attach, takes_the_inherited_descriptor_once_and_closes_it_to_its_children) {
  FakeBroker broker;
  const shm::UniqueFd end = broker.connect();
  test::ChildProcess child([&]() -> std::string {
    const std::string variable = let_children_inherit(end);
    ::putenv(const_cast<char*>(variable.c_str()));
    const Guest guest = Guest::attach();
    if (guest.welcome().broker != "fake") return "attached elsewhere";
    if ((::fcntl(end.get(), F_GETFD) & FD_CLOEXEC) == 0) return "children inherit it";
    try {
      (void)Guest::attach();
    } catch (const Error& error) {
      return error.code() == ErrorCode::not_found ? "" : error.what();
    }
    return "attached twice";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(Attach, an_inherited_number_that_is_no_socket_says_so) {
  test::ChildProcess child([]() -> std::string {
    for (const char* value : {"", "x", "3x", "-1", "99999999999999999999", "777"}) {
      ::setenv(kInheritedDescriptorVariable, value, 1);
      try {
        (void)Guest::attach();
        return std::string("attached by '") + value + "'";
      } catch (const Error& error) {
        if (error.code() != ErrorCode::invalid_argument) return error.what();
      }
    }
    return "";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(Attach, a_keeper_fixes_the_principal_and_hands_the_connection_on) {
  FakeBroker broker;
  broker.listen(make_socket_path());
  std::string minted;
  broker.on(Kind::mint, [&](FakeSession& session, const Header& header, Packet packet) {
    minted = std::string(test::packet_as<Mint>(packet).principal.view());
    session.answer(Kind::done, header.request, Plain{});
  });
  shm::UniqueFd descriptor = connect_as(make_socket_path(), "agent.scout");
  EXPECT_EQ(minted, "agent.scout");
  EXPECT_NE(::fcntl(descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(let_children_inherit(descriptor), "FAIRLEAD_FD=" + std::to_string(descriptor.get()));
  EXPECT_EQ(::fcntl(descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(Guest::attach(over(std::move(descriptor))).welcome().broker, "fake");
}

TEST(Attach, a_refused_mint_throws_in_the_keeper) {
  FakeBroker broker;
  broker.listen(make_socket_path());
  broker.on(Kind::mint, [](FakeSession& session, const Header& header, Packet) {
    session.refuse(header.request, ErrorCode::denied, "uid 7 mints nobody");
  });
  EXPECT_EQ(expect_error(ErrorCode::denied, [] { (void)connect_as(make_socket_path(), "bob"); }),
            "uid 7 mints nobody");
}

TEST(Attach, after_a_question_without_an_answer_the_connection_is_given_up) {
  FakeBroker broker;
  Guest guest = attach_to(broker, milliseconds(20));
  broker.on(Kind::set_gate, [](FakeSession&, const Header&, Packet) {});
  expect_error(ErrorCode::timeout, [&] { guest.open_gate(); });
  expect_error(ErrorCode::disconnected, [&] { guest.open_gate(); });
  EXPECT_FALSE(guest.connected());
}

TEST(Attach, a_forked_child_cannot_speak_for_its_parent) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  test::ChildProcess child(
      [&] { return expect_error(ErrorCode::invalid_argument, [&] { guest.open_gate(); }); });
  EXPECT_NE(child.result().find("forked"), std::string::npos);
  guest.open_gate();
}

}  // namespace
}  // namespace fairlead::guest
