#include "attach/boundary.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/child_process.hpp"

namespace fairlead::broker {
namespace {

using shm::Backing;
using shm::Boundary;

constexpr uid_t kBroker = 1'000;
constexpr uid_t kSomebody = 1'001;

/// A guest in a good sandbox, of the broker's own uid.
PeerFacts sandboxed() {
  PeerFacts facts;
  facts.peer_user = kBroker;
  facts.broker_user = kBroker;
  facts.user_known = true;
  facts.user_namespace = Separation::apart;
  facts.process_namespace = Separation::apart;
  facts.mount_namespace = Separation::apart;
  facts.shared_memory = Separation::apart;
  facts.proc = Separation::apart;
  facts.capabilities = Capabilities::none;
  return facts;
}

void expect(Boundary boundary, const std::string& words, const PeerFacts& facts,
            Backing backing = Backing::sealed) {
  const BoundaryVerdict verdict = judge_boundary(facts, backing);
  EXPECT_EQ(verdict.boundary, boundary) << verdict.sentence;
  EXPECT_NE(verdict.sentence.find(words), std::string::npos) << verdict.sentence;
}

TEST(Boundary, another_uid_is_one_whatever_the_backing) {
  PeerFacts facts;
  facts.peer_user = kSomebody;
  facts.broker_user = kBroker;
  facts.user_known = true;
  expect(Boundary::enforced, "uid 1001 is not the broker's uid 1000", facts, Backing::named);
  expect(Boundary::enforced, "uid 1001", facts, Backing::sealed);
}

TEST(Boundary, root_and_holders_of_capabilities_respect_none) {
  PeerFacts facts = sandboxed();
  facts.peer_user = 0;
  expect(Boundary::cooperative, "it is root", facts);
  facts.peer_user = kSomebody;
  facts.capabilities = Capabilities::in_own_namespace;
  expect(Boundary::enforced, "uid 1001", facts);
  facts.capabilities = Capabilities::outside;
  expect(Boundary::cooperative, "holds capabilities", facts);
}

TEST(Boundary, a_uid_that_stands_for_many_is_none) {
  PeerFacts facts = sandboxed();
  facts.peer_user = kSomebody;
  facts.user_known = false;
  expect(Boundary::cooperative, "unknown to the broker's user namespace", facts);
}

TEST(Boundary, the_same_uid_needs_seals_and_a_whole_sandbox) {
  expect(Boundary::enforced, "private PID namespace", sandboxed());
  expect(Boundary::cooperative, "not sealed", sandboxed(), Backing::named);
  for (const Separation lacking : {Separation::unknown, Separation::shared}) {
    PeerFacts facts = sandboxed();
    facts.process_namespace = lacking;
    expect(Boundary::cooperative, "namespace", facts);
    facts = sandboxed();
    facts.mount_namespace = lacking;
    expect(Boundary::cooperative, "mount namespace", facts);
    facts = sandboxed();
    facts.shared_memory = lacking;
    expect(Boundary::cooperative, "/dev/shm", facts);
    facts = sandboxed();
    facts.proc = lacking;
    expect(Boundary::cooperative, "/proc", facts);
  }
  for (const Capabilities held : {Capabilities::unknown, Capabilities::outside}) {
    PeerFacts facts = sandboxed();
    facts.capabilities = held;
    expect(Boundary::cooperative, "capabilities", facts);
  }
}

TEST(Boundary, nothing_is_known_of_a_peer_that_cannot_be_seen) {
  for (const pid_t pid : {0, -1, 0x7fff'fff0}) {
    const PeerFacts facts = gather_peer_facts(pid, ::geteuid());
    EXPECT_EQ(facts.process_namespace, Separation::unknown);
    EXPECT_EQ(facts.shared_memory, Separation::unknown);
    EXPECT_EQ(facts.proc, Separation::unknown);
    EXPECT_EQ(facts.capabilities, Capabilities::unknown);
    EXPECT_EQ(judge_boundary(facts, Backing::sealed).boundary, Boundary::cooperative);
  }
}

TEST(Boundary, a_plain_child_shares_everything) {
  test::Signal done;
  test::ChildProcess child([&]() -> std::string { return done.wait() ? "" : "lost"; });
  const PeerFacts facts = gather_peer_facts(child.pid(), ::geteuid());
  EXPECT_EQ(facts.process_namespace, Separation::shared);
  EXPECT_EQ(facts.mount_namespace, Separation::shared);
  EXPECT_EQ(facts.user_namespace, Separation::shared);
  EXPECT_EQ(facts.shared_memory, Separation::shared);
  EXPECT_EQ(facts.proc, Separation::shared);
  EXPECT_EQ(decide_boundary(child.pid(), ::geteuid(), Backing::sealed).boundary,
            Boundary::cooperative);
  done.send();
  EXPECT_EQ(child.result(), "");
}

/// What a sandbox does, in its single steps; each test leaves one out.
struct Sandbox {
  bool new_shared_memory = true;
  bool new_proc = true;
  bool second_look_at_shared_memory = false;
  bool drops_capabilities = true;
};

bool mount_one(const char* source, const char* target, const char* type, unsigned long flags) {
  return ::mount(source, target, type, flags, nullptr) == 0;
}

/// Whatever else this machine has mounted: a chroot under construction may well hold our /proc.
void unmount_everything_else() {
  std::ifstream mountinfo("/proc/self/mountinfo");
  std::vector<std::string> places;
  std::string id, parent, device, root, place, rest;
  while (mountinfo >> id >> parent >> device >> root >> place && std::getline(mountinfo, rest)) {
    if (place != "/" && place != "/dev" && place != "/dev/shm" && place != "/proc") {
      places.push_back(place);
    }
  }
  for (const std::string& other : places) ::umount2(other.c_str(), MNT_DETACH);
}

/// Runs as the first process of the new namespaces.
bool set_up(const Sandbox& sandbox) {
  if (!mount_one(nullptr, "/", nullptr, MS_REC | MS_PRIVATE)) return false;
  unmount_everything_else();
  if (sandbox.second_look_at_shared_memory && !mount_one("/dev/shm", "/mnt", nullptr, MS_BIND)) {
    return false;
  }
  if (sandbox.new_shared_memory && !mount_one("tmpfs", "/dev/shm", "tmpfs", 0)) return false;
  if (sandbox.new_proc && !mount_one("proc", "/proc", "proc", 0)) return false;
  if (!sandbox.drops_capabilities) return true;
  if (::prctl(PR_SET_KEEPCAPS, 0) != 0) return false;
  return ::setresuid(65'534, 65'534, 65'534) == 0;
}

/// What the broker would learn about a guest in that sandbox. Its inner process is the guest: a new
/// PID namespace begins with the next child.
void look_into(const Sandbox& sandbox, const std::function<void(const PeerFacts&)>& check) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to build a sandbox by hand";
  test::Signal ready;
  test::Signal done;
  test::ChildProcess outer([&]() -> std::string {
    if (::unshare(CLONE_NEWNS | CLONE_NEWPID) != 0) return "unshare";
    test::ChildProcess inner([&]() -> std::string {
      if (!set_up(sandbox)) return "cannot set up the sandbox";
      ready.send();
      return done.wait() ? "" : "lost";
    });
    return inner.result();
  });
  ASSERT_TRUE(ready.wait()) << outer.result();
  // Found as the kernel lists it: the only child of the outer process.
  const std::string path =
      "/proc/" + std::to_string(outer.pid()) + "/task/" + std::to_string(outer.pid()) + "/children";
  std::ifstream children(path);
  pid_t guest = 0;
  ASSERT_TRUE(children >> guest);
  check(gather_peer_facts(guest, ::geteuid()));
  done.send();
  EXPECT_EQ(outer.result(), "");
}

TEST(Boundary, a_whole_sandbox_is_seen_as_one) {
  look_into({}, [](const PeerFacts& facts) {
    EXPECT_EQ(facts.process_namespace, Separation::apart);
    EXPECT_EQ(facts.mount_namespace, Separation::apart);
    EXPECT_EQ(facts.shared_memory, Separation::apart) << "ours is there, but covered";
    EXPECT_EQ(facts.proc, Separation::apart);
    EXPECT_EQ(facts.capabilities, Capabilities::none);
    EXPECT_EQ(judge_boundary(facts, Backing::sealed).boundary, Boundary::enforced);
  });
}

TEST(Boundary, the_hosts_shared_memory_is_seen_wherever_it_is_mounted) {
  look_into({.new_shared_memory = false}, [](const PeerFacts& facts) {
    EXPECT_EQ(facts.shared_memory, Separation::shared);
    EXPECT_EQ(facts.proc, Separation::apart);
  });
  look_into({.second_look_at_shared_memory = true},
            [](const PeerFacts& facts) { EXPECT_EQ(facts.shared_memory, Separation::shared); });
}

TEST(Boundary, the_hosts_proc_is_seen) {
  look_into({.new_proc = false}, [](const PeerFacts& facts) {
    EXPECT_EQ(facts.proc, Separation::shared);
    EXPECT_EQ(facts.shared_memory, Separation::apart);
  });
}

TEST(Boundary, who_may_unmount_can_reach_what_is_covered) {
  look_into({.drops_capabilities = false}, [](const PeerFacts& facts) {
    EXPECT_EQ(facts.capabilities, Capabilities::outside);
    EXPECT_EQ(facts.shared_memory, Separation::shared);
    EXPECT_EQ(facts.proc, Separation::shared);
  });
}

}  // namespace
}  // namespace fairlead::broker
