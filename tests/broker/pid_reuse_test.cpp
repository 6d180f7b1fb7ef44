// A pid that passes from one process to another while the broker knows its first owner.
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include <gtest/gtest.h>

#include "attach/peer_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::broker {
namespace {

using shm::control::Kind;
using test::RawGuest;
using test::TestBroker;

/// A socket that a process connected which is dead by now.
shm::UniqueFd connect_in_child(const std::string& path, pid_t& child) {
  shm::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  child = ::fork();
  if (child == 0) {
    const auto* const at = reinterpret_cast<const sockaddr*>(&address);
    ::_exit(::connect(socket.get(), at, sizeof address) == 0 ? 0 : 1);
  }
  return socket;
}

/// Starts a process with that pid; it ends when `life` does. -1: may not.
pid_t start_with_pid(pid_t pid, int life, int other_end) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid);
  arguments.set_tid_size = 1;
  const auto made = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
  if (made != 0) return made;
  ::close(other_end);
  char nothing = 0;
  (void)!::read(life, &nothing, 1);
  ::_exit(0);
}

TEST(PidReuse, sealed_segments_are_not_listed_for_who_got_the_pid_of_the_connector) {
  TestBroker broker({.listening = true});
  pid_t connector = 0;
  shm::UniqueFd socket = connect_in_child(broker.socket_path(), connector);
  // It counts connections once it has accepted them.
  ASSERT_TRUE(broker.wait_until([](const auto& now) { return now.connections == 1; }));
  int status = 0;
  ASSERT_EQ(::waitpid(connector, &status, 0), connector);
  ASSERT_EQ(status, 0);

  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  shm::UniqueFd life(ends[0]);
  shm::UniqueFd other_end(ends[1]);
  const pid_t heir = start_with_pid(connector, life.get(), other_end.get());
  if (heir < 0) GTEST_SKIP() << "may not choose a pid: needs CAP_CHECKPOINT_RESTORE";
  EXPECT_EQ(heir, connector);

  RawGuest asker(std::move(socket));
  asker.plain(Kind::list_sealed);
  EXPECT_EQ(asker.refusal(ErrorCode::denied),
            "sealed segments are not listed for processes in a sandbox");
  other_end.reset();
  ::waitpid(heir, &status, 0);
}

TEST(PidReuse, what_is_learned_of_a_pid_counts_only_while_its_process_lives) {
  auto [ours, theirs] = shm::control_pair();
  const shm::UniqueFd self = open_connector(ours.get(), ::getpid());
  const PeerFacts living = gather_facts_of(self, ::getpid(), ::geteuid());
  EXPECT_EQ(living.process_namespace, Separation::shared);

  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  const shm::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(process);
  // The heir of its pid is played by ourselves.
  const PeerFacts facts = gather_facts_of(process, ::getpid(), ::geteuid());
  EXPECT_EQ(facts.process_namespace, Separation::unknown);
  EXPECT_EQ(facts.mount_namespace, Separation::unknown);
  EXPECT_EQ(facts.capabilities, Capabilities::unknown);
  EXPECT_EQ(facts.peer_user, ::geteuid());
}

}  // namespace
}  // namespace fairlead::broker
