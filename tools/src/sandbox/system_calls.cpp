#include "sandbox/system_calls.hpp"

#include <array>

namespace fairlead::tools::sandbox {
namespace {

using enum CallCondition;

constexpr auto kAllowed = std::to_array<AllowedCall>({
    {"futex", "sleeps on a doorbell; locks of libc"},
    {"poll", "waits for the connection"},
    {"ppoll", "waits for the connection"},
    {"select", "waits for the connection"},
    {"pselect6", "waits for the connection"},
    {"epoll_create1", "waits for the connection"},
    {"epoll_ctl", "waits for the connection"},
    {"epoll_wait", "waits for the connection"},
    {"epoll_pwait", "waits for the connection"},
    {"eventfd2", "waits for the connection"},
    {"timerfd_create", "waits for the next broker"},
    {"timerfd_settime", "waits for the next broker"},
    {"timerfd_gettime", "waits for the next broker"},
    {"recvmsg", "speaks with the broker, and takes descriptors"},
    {"sendmsg", "speaks with the broker, and takes descriptors"},
    {"recvfrom", "the same, of a connection that is there"},
    {"sendto", "the same, of a connection that is there"},
    {"shutdown", "the same, of a connection that is there"},
    {"getsockopt", "the same, of a connection that is there"},
    {"setsockopt", "the same, of a connection that is there"},
    {"getsockname", "the same, of a connection that is there"},
    {"getpeername", "the same, of a connection that is there"},
    {"membarrier", "cheap fences between guest and broker"},
    {"mmap", "maps segments, libraries and memory", no_new_code},
    {"munmap", "gives memory back"},
    {"mprotect", "libc protects stacks and relocated tables", never_executable},
    {"brk", "memory of malloc()"},
    {"madvise", "memory of malloc()"},
    {"mremap", "memory of malloc()"},
    {"clock_gettime", "looks at the clock"},
    {"clock_getres", "looks at the clock"},
    {"gettimeofday", "looks at the clock"},
    {"time", "looks at the clock"},
    {"clock_nanosleep", "sleeps"},
    {"nanosleep", "sleeps"},
    {"pause", "sleeps"},
    {"read", "descriptors that are open"},
    {"write", "descriptors that are open"},
    {"readv", "descriptors that are open"},
    {"writev", "descriptors that are open"},
    {"pread64", "descriptors that are open"},
    {"lseek", "descriptors that are open"},
    {"close", "descriptors that are open"},
    {"close_range", "descriptors that are open"},
    {"dup", "descriptors that are open"},
    {"dup2", "descriptors that are open"},
    {"dup3", "descriptors that are open"},
    {"fcntl", "descriptors that are open"},
    {"pipe", "descriptors that are open"},
    {"pipe2", "descriptors that are open"},
    {"fstat", "descriptors that are open"},
    {"ioctl", "terminal or not", asks_terminal},
    {"openat", "reads what is bound in", read_only_open_at},
    {"open", "the same", read_only_open},
    {"newfstatat", "looks around in what is bound in"},
    {"stat", "looks around in what is bound in"},
    {"lstat", "looks around in what is bound in"},
    {"statx", "looks around in what is bound in"},
    {"statfs", "looks around in what is bound in"},
    {"fstatfs", "looks around in what is bound in"},
    {"access", "looks around in what is bound in"},
    {"faccessat", "looks around in what is bound in"},
    {"faccessat2", "looks around in what is bound in"},
    {"readlink", "looks around in what is bound in"},
    {"readlinkat", "looks around in what is bound in"},
    {"getdents64", "looks around in what is bound in"},
    {"getcwd", "looks around in what is bound in"},
    {"clone", "threads", thread_only},
    {"clone3", "libc makes threads with clone() then", looks_missing},
    {"set_robust_list", "threads"},
    {"set_tid_address", "threads"},
    {"rseq", "threads"},
    {"gettid", "threads"},
    {"sched_yield", "threads"},
    {"sched_getaffinity", "threads"},
    {"tgkill", "abort() and raise()", own_process},
    {"kill", "the same", own_process},
    {"prctl", "name of a thread", names_thread},
    {"rt_sigaction", "handles signals"},
    {"rt_sigprocmask", "handles signals"},
    {"rt_sigreturn", "handles signals"},
    {"rt_sigtimedwait", "handles signals"},
    {"rt_sigsuspend", "handles signals"},
    {"sigaltstack", "handles signals"},
    {"signalfd4", "handles signals"},
    {"restart_syscall", "handles signals"},
    {"getrandom", "random numbers"},
    {"getpid", "who and where it is"},
    {"getppid", "who and where it is"},
    {"getpgrp", "who and where it is"},
    {"getuid", "who and where it is"},
    {"geteuid", "who and where it is"},
    {"getgid", "who and where it is"},
    {"getegid", "who and where it is"},
    {"getresuid", "who and where it is"},
    {"getresgid", "who and where it is"},
    {"getgroups", "who and where it is"},
    {"uname", "who and where it is"},
    {"sysinfo", "who and where it is"},
    {"getrusage", "who and where it is"},
    {"times", "who and where it is"},
    {"prlimit64", "limits", asks_only},
    {"getrlimit", "limits"},
    {"arch_prctl", "thread-local storage of the loader"},
    {"execveat", "starts CMD", program_at_the_start},
    {"exit", "ends"},
    {"exit_group", "ends"},
});

}  // namespace

std::span<const AllowedCall> allowed_calls() noexcept { return kAllowed; }

const char* text_of(CallCondition condition) noexcept {
  switch (condition) {
    case always:
      return "";
    case thread_only:
      return "only a thread of the same process, in the same namespaces";
    case read_only_open:
    case read_only_open_at:
      return "only to read";
    case no_new_code:
      return "executable only privately from a file, and never writable as well";
    case never_executable:
      return "never executable";
    case own_process:
      return "only the process itself";
    case asks_only:
      return "only to ask";
    case asks_terminal:
      return "only TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX";
    case names_thread:
      return "only PR_SET_NAME, PR_GET_NAME";
    case program_at_the_start:
      return "only once: the descriptor that it names closes with it and cannot be had again";
    case looks_missing:
      return "always ENOSYS";
  }
  return "";
}

}  // namespace fairlead::tools::sandbox
