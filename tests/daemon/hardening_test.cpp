// What the daemon does so that neither its user nor its parents get into it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include "daemon_process.hpp"
#include "other_user.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

TEST(Hardening, descriptors_that_the_daemon_inherits_are_closed_at_its_start) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // not close-on-exec
  const shm::UniqueFd reader(ends[0]);
  shm::UniqueFd writer(ends[1]);
  shm::UniqueFd far(::fcntl(writer.get(), F_DUPFD, 900));
  ASSERT_TRUE(far);
  Daemon daemon;
  ASSERT_TRUE(daemon.ready());
  writer.reset();
  far.reset();
  pollfd end{reader.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 0), 1) << "the daemon has the pipe's other end";
  EXPECT_NE(end.revents & POLLHUP, 0);
}

// Of the daemon's own user, who may do all of this to any other process of his.
TEST(Hardening, nobody_but_root_looks_into_the_daemon) {
  if (::geteuid() != 0) GTEST_SKIP() << "root becomes another user here";
  Daemon daemon({.user = kVisitor});
  ASSERT_TRUE(daemon.ready()) << daemon.exit_code() << daemon.standard_error();
  ChildProcess child([&]() -> std::string {
    if (!become(kVisitor)) return "cannot become another user";
    RawGuest guest(daemon.socket_path());
    if (guest.hello().boundary != shm::Boundary::cooperative) return "the boundary";
    if (!send_signal(daemon.pid(), 0)) return "this is not the daemon's user";
    return successes(inspections(), daemon.pid());
  });
  EXPECT_EQ(child.result(), "");
}

// It may map sealed segments, find a guest's namespaces and reopen its own all the same.
TEST(Hardening, the_daemon_itself_still_finds_in_proc_what_it_needs) {
  if (::geteuid() != 0) GTEST_SKIP() << "root becomes another user here";
  Daemon daemon({.user = kVisitor});
  ASSERT_TRUE(daemon.ready());
  ChildProcess child([&]() -> std::string {
    if (!become(kVisitor)) return "cannot become another user";
    RawGuest guest(daemon.socket_path());
    const auto welcome = guest.hello();
    const std::string reason(welcome.boundary_reason.view());
    if (reason.find("no PID namespace of its own") == std::string::npos) return reason;
    for (const auto backing :
         {shm::control::BackingWish::named, shm::control::BackingWish::sealed}) {
      auto packet = guest.subscribe_packet("t");
      packet.backing = backing;
      if (!guest.subscribe(packet)) return "no route";
    }
    const auto outbox = guest.open_outbox();
    return guest.publish(*outbox, "t", "x").taken.load() == 2 ? "" : "not taken";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(Hardening, a_daemon_that_crashes_leaves_no_core_with_everybody_s_messages) {
  Daemon daemon;
  ASSERT_TRUE(daemon.ready());
  daemon.signal(SIGQUIT);
  EXPECT_EQ(daemon.exit_code(), 128 + SIGQUIT);
  EXPECT_FALSE(daemon.dumped_core());
}

}  // namespace
}  // namespace fairlead::test
