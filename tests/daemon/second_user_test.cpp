// Guests of another user than the broker's: what the kernel keeps them from, whatever they try.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include <fairlead/shm/segment_name.hpp>

#include "daemon_process.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;

constexpr uid_t kGuest = 65'534;
constexpr uid_t kStranger = 65'533;

constexpr std::string_view kGuestOnly = R"(
[[principal]]
name = "visitor"
uid = 65534
publish = ["*"]
subscribe = ["*"]
admission = "all"
)";

// In a child, for good. Dumpable again, so that only file modes protect what /proc shows of it.
bool become(uid_t user) {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
         ::setresuid(user, user, user) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

// What went wrong is collected; a child tells it as its result.
class Findings {
 public:
  void expect(bool right, const std::string& what) {
    if (!right) text_ += what + " (errno " + std::to_string(errno) + "); ";
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

bool can_open(const std::string& path, int how) {
  return shm::UniqueFd(::open(path.c_str(), how | O_CLOEXEC)).valid();
}

void try_everything(int descriptor, std::size_t bytes, Findings& found) {
  const std::string again = "/proc/self/fd/" + std::to_string(descriptor);
  struct stat seen {};
  found.expect(::stat(again.c_str(), &seen) == 0, "cannot see its own descriptors");
  for (const int how : {O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_RDONLY | O_TRUNC})
    found.expect(!can_open(again, how) && errno == EACCES, "reopened with flags");
  found.expect(
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED,
      "mapped writable");
  void* const readable = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  found.expect(readable != MAP_FAILED, "cannot map at all");
  found.expect(::mprotect(readable, bytes, PROT_READ | PROT_WRITE) != 0, "made writable");
  found.expect(::ftruncate(descriptor, 0) != 0, "truncated");
  found.expect(::truncate(again.c_str(), 0) != 0 && errno == EACCES, "truncated by path");
  found.expect(::fallocate(descriptor, 0, 0, 1 << 20) != 0, "grew");
  found.expect(::fchmod(descriptor, 0666) != 0, "changed the mode");
  found.expect(::fchown(descriptor, kGuest, kGuest) != 0, "took it over");
  found.expect(::write(descriptor, "x", 1) != 1, "wrote");
}

std::string attach_as_a_visitor(const Daemon& daemon) {
  Findings found;
  if (!become(kGuest)) return "cannot become another user";
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
  try_everything(route->route_descriptor(), shm::kRouteArenaOffset, found);
  for (const std::string& segment : daemon.segments()) {
    const std::string path = shm::segment_path(segment);
    for (const int how : {O_RDONLY, O_RDWR})
      found.expect(!can_open(path, how) && errno == EACCES, "opened " + segment);
    found.expect(::unlink(path.c_str()) != 0, "removed " + segment);
  }
  found.expect(daemon.segments().size() == 3, "table, route, receipts: not three");
  found.expect(!send_signal(daemon.pid(), 0) && errno == EPERM, "may signal the broker");
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
  ChildProcess child([&] { return refusal_of(daemon, kGuest, ""); });
  EXPECT_EQ(child.result(),
            "uid 65534 (gid 65534) may not attach: the broker has no policy file, so only its own "
            "user (uid 0) may; start it with --policy FILE to let others in");
}

}  // namespace
}  // namespace fairlead::test
