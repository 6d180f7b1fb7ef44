// Guests of another user than the broker's: what the kernel keeps them from, whatever they try.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include <fairlead/shm/segment_name.hpp>

#include "daemon_process.hpp"
#include "other_user.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;

constexpr std::string_view kGuestOnly = R"(
[[principal]]
name = "visitor"
uid = 65534
publish = ["*"]
subscribe = ["*"]
admission = "all"
)";

// Whatever it tries on what it was given, on the names and on the broker itself.
void try_everything(const RawRoute& route, const Daemon& daemon, Findings& found) {
  const auto segments = daemon.segments();
  found.expect(segments.size() == 3, "table, route, receipts: not three");
  for (const std::string& segment : segments) {
    const std::string done =
        successes({route.route_descriptor(), shm::kRouteArenaOffset, shm::segment_path(segment)});
    found.expect(done.empty(), segment + ": may " + done);
  }
  found.expect(daemon.segments() == segments, "the names are others now");
  for (const auto* attempts : {&inspections(), &meddlings()}) {
    const std::string done = successes(*attempts, daemon.pid());
    found.expect(done.empty(), "the broker: may " + done);
  }
}

std::string attach_as_a_visitor(const Daemon& daemon) {
  Findings found;
  if (!become(kVisitor)) return "cannot become another user";
  RawGuest guest(daemon.socket_path());
  const control::Welcome welcome = guest.hello();
  found.expect(welcome.principal.view() == "visitor", "welcomed as somebody else");
  found.expect(welcome.boundary == shm::Boundary::enforced, "the boundary is not enforced");
  found.expect(welcome.boundary_reason.view().find("uid 65534 is not the broker's uid 0") !=
                   std::string_view::npos,
               "reason: " + std::string(welcome.boundary_reason.view()));
  auto packet = guest.subscribe_packet("t");
  packet.backing = control::BackingWish::named;
  const auto route = guest.subscribe(packet);
  const auto outbox = guest.open_outbox();
  if (!route || !outbox) return found.text() + "no route or no outbox";
  found.expect(route->answer.boundary == shm::Boundary::enforced, "the route's boundary");
  found.expect(route->answer.sealed == 0, "sealed, which this test is not about");
  try_everything(*route, daemon, found);
  // With all this it is a guest like any other.
  found.expect(guest.publish(*outbox, "t", "hello").taken.load() == 1, "not taken");
  const auto payloads = route->payloads();
  found.expect(payloads.size() == 1 && payloads.front() == "hello", "not delivered");
  return found.text();
}

std::string refusal_of(const Daemon& daemon, uid_t user, std::string_view principal) {
  if (!become(user)) return "cannot become another user";
  RawGuest guest(daemon.socket_path());
  guest.send(guest.hello_packet(principal));
  return guest.refusal(ErrorCode::denied);
}

class SecondUser : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  }
  // Its directory is private to us; others have to reach the socket in it.
  static void let_in(const Daemon& daemon) {
    ASSERT_EQ(::chmod(daemon.directory().c_str(), 0755), 0);
  }
};

TEST_F(SecondUser, a_named_segment_can_be_read_and_nothing_else) {
  Daemon daemon({.policy = std::string(kGuestOnly)});
  ASSERT_TRUE(daemon.ready());
  let_in(daemon);
  ChildProcess child([&] { return attach_as_a_visitor(daemon); });
  EXPECT_EQ(child.result(), "");
}

// So that the test above says something: there is nothing wrong with the attempts themselves.
std::string try_on_our_own() {
  Findings found;
  if (!become(kVisitor)) return "cannot become another user";
  for (const MemoryAttempt& each : memory_attempts()) {
    Memory own{-1, 8'192, "/dev/shm/fairlead-test-own-" + std::to_string(::getpid())};
    ::unlink(own.path.c_str());
    const shm::UniqueFd file(each.own == OnOwn::sealable
                                 ? ::memfd_create("own", MFD_ALLOW_SEALING | MFD_CLOEXEC)
                                 : ::open(own.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    found.expect(::ftruncate(file.get(), static_cast<off_t>(own.bytes)) == 0, "no file");
    own.descriptor = file.get();
    if (each.own != OnOwn::nothing)
      found.expect(each.succeeds(own), std::string("cannot ") + each.name);
    ::unlink(own.path.c_str());
  }
  Signal never;
  ChildProcess child([&]() -> std::string { return never.wait() ? "" : ""; });
  for (const auto* attempts : {&inspections(), &meddlings()}) {
    for (const ProcessAttempt& each : *attempts)
      found.expect(each.succeeds(child.pid()), std::string("cannot ") + each.name);
  }
  return found.text();
}

TEST_F(SecondUser, all_that_is_tried_works_on_what_is_one_s_own) {
  ChildProcess child([&] { return try_on_our_own(); });
  EXPECT_EQ(child.result(), "");
}

TEST_F(SecondUser, a_user_that_the_policy_does_not_name_is_refused) {
  Daemon daemon({.policy = std::string(kGuestOnly)});
  ASSERT_TRUE(daemon.ready());
  let_in(daemon);
  ChildProcess unnamed([&] { return refusal_of(daemon, kStranger, ""); });
  EXPECT_EQ(unnamed.result(),
            "the policy has no principal for uid 65533 (gid 65533): ask for one by name, or add a "
            "[[principal]] that lists this uid");
  ChildProcess impostor([&] { return refusal_of(daemon, kStranger, "visitor"); });
  EXPECT_EQ(impostor.result(),
            "uid 65533 (gid 65533) may not attach as principal 'visitor': its [[principal]] in the "
            "policy lists neither this uid nor this gid");
}

TEST_F(SecondUser, without_a_policy_nobody_but_the_brokers_user_gets_in) {
  Daemon daemon;
  ASSERT_TRUE(daemon.ready());
  let_in(daemon);
  ChildProcess child([&] { return refusal_of(daemon, kVisitor, ""); });
  EXPECT_EQ(child.result(),
            "uid 65534 (gid 65534) may not attach: the broker has no policy file, so only its own "
            "user (uid 0) may; start it with --policy FILE to let others in");
}

}  // namespace
}  // namespace fairlead::test
