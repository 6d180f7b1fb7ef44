#include "call_tracer.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reg.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

#include "support/child_process.hpp"

namespace fairlead::killing::call_tracer {
namespace {

// No such calls: the kernel says ENOSYS, and the tracer sees them pass.
constexpr long kArmCall = 0x46'0001;
constexpr long kDisarmCall = 0x46'0002;
constexpr int kSystemCallStop = SIGTRAP | 0x80;

pid_t start(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
  body();
  ::_exit(0);
}

long call_number(pid_t thread) noexcept {
#if defined(__x86_64__)
  return ::ptrace(PTRACE_PEEKUSER, thread, sizeof(long) * ORIG_RAX, nullptr);
#else
  return thread < 0 ? 0 : -1;
#endif
}

}  // namespace

void arm() noexcept { (void)::syscall(kArmCall); }
void disarm() noexcept { (void)::syscall(kDisarmCall); }

void run(const std::function<void()>& body, std::atomic<std::uint64_t>& points,
         std::uint64_t kill_at) {
  const pid_t child = start(body);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return;
  constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, kOptions);
  ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  bool armed = false;
  for (pid_t thread = 0; (thread = ::waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) continue;
    long deliver = 0;
    if (WSTOPSIG(status) == kSystemCallStop) {
      const long number = call_number(thread);
      if (number == kArmCall || number == kDisarmCall) {
        armed = number == kArmCall;
      } else if (armed && points.fetch_add(1) + 1 == kill_at) {
        test::send_signal(child, SIGKILL);
      }
    } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
      deliver = WSTOPSIG(status);  // SIGSTOP is how a new thread begins
    }
    ::ptrace(PTRACE_SYSCALL, thread, nullptr, deliver);
  }
}

const char* why_not() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  int status = 1;
  ::waitpid(child, &status, 0);
  return status == 0 ? "" : "ptrace is not allowed here";
}

}  // namespace fairlead::killing::call_tracer
