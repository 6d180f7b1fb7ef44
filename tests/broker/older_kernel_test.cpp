// A broker on a kernel that lacks what it uses where it is there: memfd_create's MFD_NOEXEC_SEAL
// (6.3), epoll_pwait2 (5.11) and pidfd_open (5.3). A seccomp filter plays the kernel.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/segment.hpp>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

constexpr unsigned kNoExecSeal = 0x0008U;  // MFD_NOEXEC_SEAL

// For this process and its threads to come. False when the filter cannot be had.
bool pretend_an_older_kernel() {
  constexpr auto kNumber = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  // The low half of the second argument; both architectures that we know are little-endian.
  constexpr auto kFlags = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8);
  constexpr auto load = [](std::uint32_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
  };
  constexpr auto fail_with = [](int error) {
    return sock_filter BPF_STMT(BPF_RET | BPF_K,
                                SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
  };
  constexpr auto if_equal = [](std::uint32_t value, std::uint8_t skip_if_not) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip_if_not);
  };
  constexpr auto if_any_bit = [](std::uint32_t bits, std::uint8_t skip_if_not) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, skip_if_not);
  };
  std::array program = {
      load(kNumber),     if_equal(SYS_epoll_pwait2, 1),
      fail_with(ENOSYS), if_equal(SYS_pidfd_open, 1),
      fail_with(ENOSYS), if_equal(SYS_memfd_create, 3),
      load(kFlags),      if_any_bit(kNoExecSeal, 1),
      fail_with(EINVAL), sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What went wrong, as the child's result.
void serve_a_guest(std::string& wrong) {
  const auto expect = [&wrong](bool right, const char* what) {
    if (!right) wrong += std::string(what) + "; ";
  };
  TestBroker broker({.policy = "[broker]\nattach_deadline_ms = 100\n"
                               "[[principal]]\nname = 'alice'\nuid = 'self'\nminted = true\n"
                               "publish = ['*']\nsubscribe = ['*']\nadmission = 'all'\n",
                     .listening = true});
  RawGuest guest(broker.socket_path());
  guest.hello();
  for (const auto backing : {shm::control::BackingWish::named, shm::control::BackingWish::sealed}) {
    auto packet = guest.subscribe_packet("t");
    packet.backing = backing;
    const auto route = guest.subscribe(packet);
    expect(route != nullptr, "no route");
    expect(broker->publish("alice", "t", "x").taken > 0, "not taken");
    expect(route->payloads() == std::vector<std::string>{"x"}, "not delivered");
  }
  const auto outbox = guest.open_outbox();
  expect(outbox != nullptr && guest.publish(*outbox, "t", "y").matched.load() > 0, "no outbox");
  // A wait with a deadline, in milliseconds then.
  RawGuest silent(broker.socket_path());
  expect(silent.hung_up(), "a deadline does not end a wait");
}

std::string on_an_older_kernel() {
  if (!pretend_an_older_kernel()) return kSkipped + "no seccomp filter here";
  if (::memfd_create("check", MFD_CLOEXEC | kNoExecSeal) >= 0 || errno != EINVAL)
    return "the filter lets MFD_NOEXEC_SEAL through";
  std::string wrong;
  serve_a_guest(wrong);
  return testing::Test::HasFailure() ? wrong + "a check failed, see above" : wrong;
}

TEST(OlderKernel, a_broker_does_without_what_it_lacks) {
  if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "sanitizers start no threads in forked children";
  ChildProcess child(on_an_older_kernel);
  const std::string result = child.result();
  if (result.starts_with(kSkipped)) GTEST_SKIP() << result.substr(kSkipped.size());
  EXPECT_EQ(result, "");
}

}  // namespace
}  // namespace fairlead::test
