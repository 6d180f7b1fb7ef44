#include "errnos.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

namespace fairlead::test {
namespace {

struct Row {
  const char* name;
  long number;
  int operation;  // kAny: whatever it is
  Errnos errnos;
};
constexpr int kAny = -1;

const std::vector<int> kNoDescriptor = {EMFILE, ENFILE, ENOMEM};

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      // Files and descriptors.
      {"openat", SYS_openat, kAny, {{}, {EMFILE, ENFILE, ENOENT, EACCES, ENOMEM, ELOOP}}},
      {"close_range", SYS_close_range, kAny, {{ENOSYS}, {ENOMEM, EMFILE}}},
      {"close", SYS_close, kAny, {{EINTR, EIO}, {}, true}},
      {"read", SYS_read, kAny, {{EINTR}, {EIO}}},
      {"pread64", SYS_pread64, kAny, {{}, {EIO}}},
      {"write", SYS_write, kAny, {{EINTR}, {EIO, ENOSPC, EPIPE}}},
      {"writev", SYS_writev, kAny, {{}, {EIO, ENOSPC}}},
      {"lseek", SYS_lseek, kAny, {{}, {ESPIPE}}},
      {"fstat", SYS_fstat, kAny, {{}, {ENOMEM, EIO}}},
      {"newfstatat", SYS_newfstatat, kAny, {{}, {ENOMEM, EACCES, ENOENT, ELOOP}}},
      {"statx", SYS_statx, kAny, {{}, {ENOMEM, EACCES, ENOENT}}},
      {"fstatfs", SYS_fstatfs, kAny, {{}, {EIO, ENOSYS}}},
      {"access", SYS_access, kAny, {{}, {EACCES, ENOENT}}},
      {"readlink", SYS_readlink, kAny, {{}, {EACCES, ENOENT, EINVAL}}},
      {"readlinkat", SYS_readlinkat, kAny, {{}, {EACCES, ENOENT}}},
      {"getdents64", SYS_getdents64, kAny, {{}, {EIO, ENOENT}}},
      {"getcwd", SYS_getcwd, kAny, {{}, {ENOENT}}},
      {"mkdir", SYS_mkdir, kAny, {{}, {EACCES, ENOSPC}}},
      {"unlink", SYS_unlink, kAny, {{}, {EACCES, EIO}}},
      {"chmod", SYS_chmod, kAny, {{}, {EPERM}}},
      {"fchmod", SYS_fchmod, kAny, {{}, {EPERM}}},
      {"flock", SYS_flock, kAny, {{EINTR}, {EWOULDBLOCK, ENOLCK}}},
      {"ftruncate", SYS_ftruncate, kAny, {{EINTR}, {EFBIG, ENOSPC, EIO}}},
      {"fallocate", SYS_fallocate, kAny, {{EINTR}, {ENOSPC, EFBIG, EIO}}},
      {"memfd_create", SYS_memfd_create, kAny, {{}, {EMFILE, ENFILE, ENOMEM, ENOSYS}}},
      {"fcntl(F_DUPFD_CLOEXEC)", SYS_fcntl, F_DUPFD_CLOEXEC, {{}, {EMFILE}}},
      {"fcntl(F_ADD_SEALS)", SYS_fcntl, F_ADD_SEALS, {{}, {EPERM, EBUSY}}},
      {"fcntl(F_GET_SEALS)", SYS_fcntl, F_GET_SEALS, {{}, {EINVAL}}},
      {"fcntl", SYS_fcntl, kAny, {{}, {EPERM}}},
      {"ioctl", SYS_ioctl, kAny, {{ENOTTY}, {}}},
      {"dup2", SYS_dup2, kAny, {{}, {EBUSY}}},
      {"pipe2", SYS_pipe2, kAny, {{}, {EMFILE, ENFILE}}},
      // Memory.
      {"mmap", SYS_mmap, kAny, {{}, {ENOMEM, EAGAIN}}},
      {"mremap", SYS_mremap, kAny, {{}, {ENOMEM}}},
      {"mprotect", SYS_mprotect, kAny, {{}, {ENOMEM, EACCES}}},
      {"munmap", SYS_munmap, kAny, {{ENOMEM}, {}}},
      {"madvise", SYS_madvise, kAny, {{ENOMEM, EAGAIN}, {}}},
      {"brk", SYS_brk, kAny, {{}, {ENOMEM}}},
      {"membarrier", SYS_membarrier, kAny, {{}, {ENOSYS, EPERM}}},
      // Sockets.
      {"socket", SYS_socket, kAny, {{}, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}}},
      {"socketpair", SYS_socketpair, kAny, {{}, kNoDescriptor}},
      {"bind", SYS_bind, kAny, {{}, {EACCES, EADDRINUSE, ENOENT, ENOMEM, EROFS}}},
      {"listen", SYS_listen, kAny, {{}, {EADDRINUSE}}},
      {"accept4", SYS_accept4, kAny, {{EINTR, EAGAIN, ECONNABORTED}, {EMFILE, ENFILE, ENOBUFS}}},
      {"connect", SYS_connect, kAny, {{EINTR}, {ECONNREFUSED, EACCES, EAGAIN, ENOENT}}},
      {"sendmsg", SYS_sendmsg, 0, {{EINTR}, {EAGAIN, ENOBUFS, ENOMEM, ECONNRESET, EPIPE}}},
      {"sendmsg(SCM_RIGHTS)", SYS_sendmsg, 1, {{EINTR}, {EAGAIN, ENOMEM, EPIPE, ETOOMANYREFS}}},
      {"sendto", SYS_sendto, kAny, {{EINTR}, {EAGAIN, ENOBUFS, ECONNREFUSED, EPIPE}}},
      {"recvmsg", SYS_recvmsg, kAny, {{EINTR, EAGAIN}, {ENOMEM, ECONNRESET}}},
      {"recvfrom", SYS_recvfrom, kAny, {{EINTR}, {ENOMEM, ECONNRESET}}},
      {"getsockopt", SYS_getsockopt, kAny, {{}, {ENOBUFS, ENOPROTOOPT}}},
      {"setsockopt", SYS_setsockopt, kAny, {{}, {ENOMEM, ENOPROTOOPT}}},
      {"getpeername", SYS_getpeername, kAny, {{}, {ENOBUFS, ENOTCONN}}},
      {"getsockname", SYS_getsockname, kAny, {{}, {ENOBUFS}}},
      {"shutdown", SYS_shutdown, kAny, {{}, {ENOTCONN}}},
      // Waiting.
      {"epoll_create1", SYS_epoll_create1, kAny, {{}, kNoDescriptor}},
      {"eventfd2", SYS_eventfd2, kAny, {{}, kNoDescriptor}},
      {"signalfd4", SYS_signalfd4, kAny, {{}, kNoDescriptor}},
      {"timerfd_create", SYS_timerfd_create, kAny, {{}, kNoDescriptor}},
      {"timerfd_settime", SYS_timerfd_settime, kAny, {}},  // fails for wrong arguments only
      {"epoll_ctl(EPOLL_CTL_DEL)", SYS_epoll_ctl, EPOLL_CTL_DEL, {{ENOENT}, {}}},
      {"epoll_ctl", SYS_epoll_ctl, kAny, {{}, {ENOMEM, ENOSPC}}},
      {"epoll_wait", SYS_epoll_wait, kAny, {{EINTR}, {}}},
      {"epoll_pwait", SYS_epoll_pwait, kAny, {{EINTR}, {}}},
      {"epoll_pwait2", SYS_epoll_pwait2, kAny, {{EINTR, ENOSYS}, {}}},
      {"poll", SYS_poll, kAny, {{EINTR}, {ENOMEM}}},
      {"ppoll", SYS_ppoll, kAny, {{EINTR}, {ENOMEM}}},
      {"futex(FUTEX_WAIT)", SYS_futex, FUTEX_WAIT, {{EINTR, EAGAIN}, {}}},
      {"futex(FUTEX_WAIT_BITSET)", SYS_futex, FUTEX_WAIT_BITSET, {{EINTR, EAGAIN}, {}}},
      {"futex", SYS_futex, kAny, {}},  // to wake cannot fail
      {"clock_nanosleep", SYS_clock_nanosleep, kAny, {{EINTR}, {}}},
      {"rt_sigtimedwait", SYS_rt_sigtimedwait, kAny, {{EINTR}, {}}},
      {"wait4", SYS_wait4, kAny, {{EINTR}, {}}},
      // Processes and threads.
      {"clone", SYS_clone, kAny, {{}, {EAGAIN, ENOMEM}}},
      {"clone3", SYS_clone3, kAny, {{ENOSYS}, {EAGAIN, ENOMEM}}},
      {"execve", SYS_execve, kAny, {{}, {ENOENT, EACCES, ENOMEM, E2BIG, ETXTBSY}}},
      {"kill", SYS_kill, kAny, {{}, {ESRCH, EPERM}}},
      {"pidfd_open", SYS_pidfd_open, kAny, {{}, {EMFILE, ENOMEM, ESRCH, ENOSYS}}},
      {"prctl", SYS_prctl, kAny, {{}, {EPERM, EINVAL}}},
      {"prlimit64", SYS_prlimit64, kAny, {{}, {EPERM}}},
      {"getrandom", SYS_getrandom, kAny, {{EINTR}, {EAGAIN, ENOSYS}}},
      {"sysinfo", SYS_sysinfo, kAny, {{}, {EFAULT}}},
      {"sched_getaffinity", SYS_sched_getaffinity, kAny, {{}, {EPERM}}},
      // What cannot fail, or is the C library's alone.
      {"exit", SYS_exit, kAny, {}},
      {"exit_group", SYS_exit_group, kAny, {}},
      {"getpid", SYS_getpid, kAny, {}},
      {"gettid", SYS_gettid, kAny, {}},
      {"getuid", SYS_getuid, kAny, {}},
      {"geteuid", SYS_geteuid, kAny, {}},
      {"getgid", SYS_getgid, kAny, {}},
      {"getegid", SYS_getegid, kAny, {}},
      {"uname", SYS_uname, kAny, {}},
      {"umask", SYS_umask, kAny, {}},
      {"sched_yield", SYS_sched_yield, kAny, {}},
      {"clock_gettime", SYS_clock_gettime, kAny, {}},
      {"rt_sigaction", SYS_rt_sigaction, kAny, {}},
      {"rt_sigprocmask", SYS_rt_sigprocmask, kAny, {}},
      {"rt_sigreturn", SYS_rt_sigreturn, kAny, {}},
      {"restart_syscall", SYS_restart_syscall, kAny, {}},
      {"set_robust_list", SYS_set_robust_list, kAny, {}},
      {"set_tid_address", SYS_set_tid_address, kAny, {}},
      {"rseq", SYS_rseq, kAny, {}},
      {"tgkill", SYS_tgkill, kAny, {}},
  };
  return rows;
}

const Row* find_row(const SystemCall& call) {
  const int operation = operation_of(call);
  const auto& rows = table();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.number == call.number && (row.operation == kAny || row.operation == operation);
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

int operation_of(const SystemCall& call) noexcept {
  if (call.number == SYS_fcntl || call.number == SYS_epoll_ctl)
    return static_cast<int>(call.arguments[1]);
  if (call.number == SYS_futex) return static_cast<int>(call.arguments[1]) & FUTEX_CMD_MASK;
  return call.carries_descriptors ? 1 : 0;
}

const Errnos* errnos_of(const SystemCall& call) {
  const Row* row = find_row(call);
  return row == nullptr ? nullptr : &row->errnos;
}

std::string name_of(const SystemCall& call) {
  const Row* row = find_row(call);
  return row == nullptr ? "system call " + std::to_string(call.number) : row->name;
}

std::string errno_name(int number) {
  const char* name = ::strerrorname_np(number);
  return name == nullptr ? std::to_string(number) : name;
}

}  // namespace fairlead::test
