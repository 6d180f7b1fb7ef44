// Broker and guests that see each other's process and user numbers otherwise, or not at all.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <fairlead/guest/guest.hpp>

#include "daemon_process.hpp"
#include "other_user.hpp"
#include "support/child_process.hpp"
#include "support/program.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

bool write_map(const char* file, const std::string& text) {
  const shm::UniqueFd map(::open(file, O_WRONLY | O_CLOEXEC));
  return map && ::write(map.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Empty, or why this machine cannot. We stay root, mapped to ourselves and nobody else.
std::string enter(int namespaces) {
  const std::string own = std::to_string(::geteuid()) + " " + std::to_string(::geteuid()) + " 1\n";
  if (::unshare(namespaces) != 0) return kSkipped + "no namespaces: " + std::to_string(errno);
  if ((namespaces & CLONE_NEWUSER) == 0) return "";
  return write_map("/proc/self/setgroups", "deny") && write_map("/proc/self/uid_map", own) &&
                 write_map("/proc/self/gid_map", own)
             ? ""
             : kSkipped + "no user map: " + std::to_string(errno);
}

std::string policy_for_visitors() {
  const std::string rights = "publish = [\"*\"]\nsubscribe = [\"*\"]\nadmission = \"all\"\n";
  return "[[principal]]\nname = \"visitor\"\nuid = 65534\n" + rights +
         "[[principal]]\nname = \"group\"\ngid = 65534\n" + rights;
}

#define EXPECT_WORKED(said)                                 \
  if ((said).starts_with(kSkipped)) GTEST_SKIP() << (said); \
  EXPECT_EQ(said, "")

// All of a guest's life, with the library.
std::string live_as_a_guest(const std::string& socket) {
  guest::Guest guest = guest::Guest::attach({.socket_path = socket});
  auto route = guest.subscribe("t");
  auto publisher = guest.publisher();
  for (int round = 0; round < 10; ++round) {
    if (!publisher.publish("t", "hello").complete()) return "not delivered";
    if (route.wait(std::chrono::seconds(30)) != guest::WaitOutcome::ready) return "not woken";
    if (route.drain().size() != 1) return "not drained";
  }
  return std::string(guest.welcome().boundary_reason);
}

TEST(NestedNamespaces, a_guest_in_a_pid_and_user_namespace_of_its_own_is_a_guest_like_any_other) {
  Daemon daemon;
  ASSERT_TRUE(daemon.ready());
  ChildProcess outer([&]() -> std::string {
    std::string said = enter(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS);
    if (!said.empty()) return said;
    ChildProcess inner([&]() -> std::string {
      return ::getpid() == 1 ? live_as_a_guest(daemon.socket_path()) : "not the first process";
    });
    said = inner.result();
    // Whoever could be root in there, and sees the host's /dev/shm, is not kept from anything.
    return said.find("may reach the broker's /dev/shm (it holds capabilities") != said.npos ? ""
                                                                                            : said;
  });
  const std::string said = outer.result();
  EXPECT_WORKED(said);
}

// R32: what a dead guest of a nested namespace has mapped is given back, by way of its pidfd.
TEST(NestedNamespaces, R32_a_nested_guest_s_memory_is_charged_until_its_death_which_is_noticed) {
  Daemon daemon({.policy = "[[principal]]\nname = \"alice\"\nuid = \"self\"\nsubscribe = [\"*\"]\n"
                           "admission = \"all\"\nbudget_bytes = 65536\n"
                           "[principal.quota]\ntotal_budget_bytes = 300000\n"});
  ASSERT_TRUE(daemon.ready());
  const auto sealed = [](RawGuest& guest) {
    auto packet = guest.subscribe_packet("t");
    packet.backing = shm::control::BackingWish::sealed;
    return packet;
  };
  Signal left;
  ChildProcess outer([&]() -> std::string {
    if (const std::string said = enter(CLONE_NEWUSER | CLONE_NEWPID); !said.empty()) return said;
    ChildProcess inner([&]() -> std::string {
      RawGuest guest(daemon.socket_path());
      guest.hello();
      const auto route = guest.subscribe(sealed(guest));
      guest.leave();
      left.send();
      Signal never;
      return never.wait() ? "" : "lost";
    });
    return inner.result();
  });
  if (!left.wait()) {
    const std::string said = outer.result();
    EXPECT_WORKED(said);
  }
  RawGuest next(daemon.socket_path());
  next.hello();
  next.send(sealed(next));
  EXPECT_NE(next.refusal(ErrorCode::quota_exceeded), "")
      << "it lives, and may still have it mapped";
  outer.kill();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (bool given = false; !given;) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    const auto packet = sealed(next);
    next.send(packet);
    given = next.receive().kind() == shm::control::Kind::subscribed;
    if (given) next.acknowledge(packet.header.request);
  }
}

TEST(NestedNamespaces, a_broker_that_is_the_first_process_serves_guests_that_have_no_pid_for_it) {
  ChildProcess outside([]() -> std::string {
    if (const std::string said = enter(CLONE_NEWPID); !said.empty()) return said;
    Daemon daemon;  // our next child: pid 1
    if (!daemon.ready()) return "not ready";
    const std::string reason = live_as_a_guest(daemon.socket_path());
    if (reason.find("its namespaces cannot be looked at") == reason.npos) return reason;
    Daemon second({.arguments = {"--name", daemon.name(), "--socket", daemon.socket_path() + "2"},
                   .plain = true});
    if (second.exit_code() != 4) return "a second broker of its name has begun";
    daemon.signal(SIGTERM);
    if (const int code = daemon.exit_code(); code != 0) return "ended with " + std::to_string(code);
    if (!daemon.segments().empty()) return "something is left";
    const std::string log = daemon.standard_error();
    return log.find("attached: pid 0, uid ") != log.npos ? "" : log;
  });
  const std::string said = outside.result();
  EXPECT_WORKED(said);
}

// A text that processes which were forked before it was known can read.
class SharedText {
 public:
  SharedText()
      : text_(static_cast<char*>(
            ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  void set(const std::string& text) { std::strncpy(text_, text.c_str(), kBytes - 1); }
  std::string get() const { return text_; }

 private:
  static constexpr std::size_t kBytes = 4'096;
  char* text_;
};

// What it is refused with that attaches from outside of the broker's user namespace.
std::string refusal_from_outside(uid_t user, gid_t group, std::string& said) {
  SharedText socket;
  Signal there;
  Signal done;
  ChildProcess stranger([&]() -> std::string {
    if (!there.wait()) return "lost";
    if (::setresgid(group, group, group) != 0 || ::setresuid(user, user, user) != 0)
      return "setuid";
    RawGuest guest(socket.get());
    guest.send(guest.hello_packet());
    const std::string refusal = guest.refusal(ErrorCode::denied);
    done.send();
    return refusal;
  });
  ChildProcess inside([&]() -> std::string {
    if (const std::string skipped = enter(CLONE_NEWUSER); !skipped.empty()) return skipped;
    Daemon daemon({.policy = policy_for_visitors()});
    if (!daemon.ready()) return "not ready: " + daemon.standard_error();
    std::filesystem::permissions(daemon.directory(), std::filesystem::perms(0755));
    socket.set(daemon.socket_path());
    there.send();
    return done.wait() ? "" : "nobody was refused";
  });
  said = inside.result();
  return said.empty() ? stranger.result() : "";
}

TEST(NestedNamespaces, a_user_that_the_broker_s_namespace_lacks_is_not_the_one_of_that_number) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  for (const uid_t user : {kStranger, kVisitor}) {
    std::string said;
    const std::string refusal = refusal_from_outside(user, 0, said);
    EXPECT_WORKED(said);
    EXPECT_EQ(
        refusal,
        "uid 65534 may not attach: the broker runs in a user namespace that lacks this user, "
        "so it may be anybody; map the user there, or let a keeper (fairlead run) connect for "
        "it");
  }
}

TEST(NestedNamespaces, a_group_that_the_broker_s_namespace_lacks_is_not_the_one_of_that_number) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  std::string said;
  const std::string refusal = refusal_from_outside(0, 65'533, said);
  EXPECT_WORKED(said);
  EXPECT_TRUE(refusal.starts_with("the policy has no principal for uid 0 (gid 4294967295)"))
      << refusal;
}

}  // namespace
}  // namespace fairlead::test
