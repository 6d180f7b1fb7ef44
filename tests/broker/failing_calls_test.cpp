// A system call that fails is told in words, and what was made by then goes again. A seccomp filter
// lets it fail, in a child. Not fcntl(), which gcov needs to write down what was reached.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_name.hpp>
#include <fairlead/shm/uuid.hpp>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

bool let_fail(long call, int error) {
  constexpr auto kNumber = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  std::array program = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

struct FailingCall {
  const char* name;
  long call;
  int error;
  ErrorCode code;
  const char* sentence;  // how it begins
  void (*control_call)(const std::string& name);
};

void PrintTo(const FailingCall& each, std::ostream* out) { *out << each.name; }

void begin_broker(const std::string& name) {
  broker::BrokerOptions options;
  options.name = name;
  options.socket_path = "/tmp/" + name + ".sock";
  const broker::Broker never(options);
}
void seal(const std::string& name) {
  (void)shm::Segment::create_sealed(name, 4'096, shm::SealMode::guest_writable);
}
void connect(const std::string& name) {
  (void)shm::connect_control("/tmp/" + name + ".sock", std::chrono::seconds(1));
}

const FailingCall kCalls[] = {
    {"socket", SYS_socket, EMFILE, ErrorCode::limit, "cannot make a Unix socket", connect},
    {"connect", SYS_connect, EACCES, ErrorCode::denied, "no permission to connect", connect},
    {"connect_otherwise", SYS_connect, ENOTSOCK, ErrorCode::system, "cannot connect to", connect},
    {"socketpair", SYS_socketpair, EMFILE, ErrorCode::limit, "cannot make a socket pair",
     [](const std::string&) { (void)shm::control_pair(); }},
    {"getrandom", SYS_getrandom, ENOSYS, ErrorCode::system, "getrandom for a capsule's UUID",
     [](const std::string&) { (void)shm::make_random_uuid(); }},
    {"getrandom_of_a_name", SYS_getrandom, ENOSYS, ErrorCode::system,
     "no random bytes for a segment name",
     [](const std::string& name) {
       (void)shm::make_segment_name(name, 1, shm::SegmentKind::route, 1);
     }},
    {"fchmod", SYS_fchmod, EPERM, ErrorCode::denied, "cannot protect sealed segment", seal},
    {"ftruncate", SYS_ftruncate, EFBIG, ErrorCode::system, "cannot size sealed segment", seal},
    {"flock", SYS_flock, ENOLCK, ErrorCode::system, "cannot lock /dev/shm/", begin_broker},
    {"getdents", SYS_getdents64, EIO, ErrorCode::system, "cannot list /dev/shm", begin_broker},
    {"epoll_ctl", SYS_epoll_ctl, ENOSPC, ErrorCode::out_of_memory, "cannot watch a socket",
     begin_broker},
    {"bind", SYS_bind, EACCES, ErrorCode::denied, "cannot listen on /tmp/", begin_broker},
    {"listen", SYS_listen, EOPNOTSUPP, ErrorCode::system, "cannot listen on /tmp/", begin_broker},
};

class FailingCalls : public testing::TestWithParam<FailingCall> {};

TEST_P(FailingCalls, is_told_in_words_and_leaves_nothing_behind) {
  const FailingCall& each = GetParam();
  const std::string name = unique_broker_name();
  ChildProcess child([&]() -> std::string {
    if (!let_fail(each.call, each.error)) return kSkipped + "no seccomp filter here";
    try {
      each.control_call(name);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    }
    return "nothing was thrown";
  });
  const std::string said = child.result();
  if (said.starts_with(kSkipped)) GTEST_SKIP() << said;
  const std::string expected = std::string(to_string(each.code)) + ": " + each.sentence;
  EXPECT_TRUE(said.starts_with(expected)) << said;
  for (const shm::ListedSegment& left : shm::list_segments())
    EXPECT_FALSE(left.name && left.name->broker == name) << left.file;
  std::filesystem::remove("/tmp/" + name + ".sock");
}

INSTANTIATE_TEST_SUITE_P(Each, FailingCalls, testing::ValuesIn(kCalls),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace fairlead::test
