// Tries what a hostile guest may try: attempt NAME [ARGUMENT]. Prints the errno's name or
// "succeeded".
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

constexpr std::size_t kPage = 4'096;
const char* argument = "";

long open_to_read() { return ::open(argument, O_RDONLY); }
long open_to_write() { return ::open(argument, O_WRONLY); }
long create_file() { return ::open(argument, O_RDONLY | O_CREAT, 0600); }
long truncate_by_open() { return ::open(argument, O_RDONLY | O_TRUNC); }
long make_directory() { return ::mkdir(argument, 0700); }
long remove_file() { return ::unlink(argument); }
long unix_socket() { return ::socket(AF_UNIX, SOCK_STREAM, 0); }
long network_socket() { return ::socket(AF_INET, SOCK_STREAM, 0); }
long socket_pair() {
  int ends[2];
  return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}
long signal_process() { return ::syscall(SYS_kill, std::atoi(argument), 0); }
long see_process() { return ::open(("/proc/" + std::string(argument)).c_str(), O_PATH); }
long trace_process() { return ::ptrace(PTRACE_SEIZE, std::atoi(argument), nullptr, nullptr); }
long read_process_memory() {
  char byte = 0;
  const iovec here{&byte, 1};
  const iovec there{&byte, 1};
  return ::process_vm_readv(::getppid(), &here, 1, &there, 1, 0);
}
long mount_something() { return ::mount("none", "/tmp", "tmpfs", 0, nullptr); }
long new_user_namespace() { return ::unshare(CLONE_NEWUSER); }
long make_memfd() { return ::syscall(SYS_memfd_create, "x", 0); }
long map_writable_code() {
  void* at = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
  return at == MAP_FAILED ? -1 : 0;
}
long map_anonymous_code() {
  void* at = ::mmap(nullptr, kPage, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? -1 : 0;
}
long make_data_code() {
  void* at = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return ::mprotect(at, kPage, PROT_READ | PROT_EXEC);
}
long make_child() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  return child;
}
// On success its exit code is that of `true`, and there is no output.
long start_program() {
  char* const words[] = {const_cast<char*>("true"), nullptr};
  return ::execve("/usr/bin/true", words, environ);
}
long start_program_by_descriptor() {
  char* const words[] = {const_cast<char*>("true"), nullptr};
  const int program = ::open("/usr/bin/true", O_PATH);
  return ::syscall(SYS_execveat, program, "", words, environ, AT_EMPTY_PATH);
}
// CMD itself was started through one of them.
long start_program_by_any_number() {
  char* const words[] = {const_cast<char*>("true"), nullptr};
  const int program = ::open("/usr/bin/true", O_PATH);
  for (int number = STDERR_FILENO + 1; ::dup2(program, number) >= 0; ++number) {
    ::syscall(SYS_execveat, number, "", words, environ, AT_EMPTY_PATH);
    if (errno != EPERM) return -1;
  }
  return -1;
}
long raise_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return ::setrlimit(RLIMIT_NOFILE, &limit);
}
long type_into_terminal() {
  char letter = 'x';
  return ::ioctl(STDIN_FILENO, TIOCSTI, &letter);
}
long make_ring() {
  char parameters[256] = {};
  return ::syscall(SYS_io_uring_setup, 1, parameters);
}
long truncate_descriptor() { return ::ftruncate(STDIN_FILENO, 0); }
long punch_hole() {
  return ::fallocate(STDIN_FILENO, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1);
}
#if defined(__x86_64__)
long call_of_32_bits() {
  long result = 20;  // getpid
  __asm__ volatile("int $0x80" : "+a"(result));
  return result;
}
#else
long call_of_32_bits() { return ::raise(SIGSYS); }
#endif

const std::map<std::string, long (*)()> kAttempts = {
    {"open_to_read", &open_to_read},
    {"open_to_write", &open_to_write},
    {"create_file", &create_file},
    {"truncate_by_open", &truncate_by_open},
    {"make_directory", &make_directory},
    {"remove_file", &remove_file},
    {"unix_socket", &unix_socket},
    {"network_socket", &network_socket},
    {"socket_pair", &socket_pair},
    {"signal_process", &signal_process},
    {"see_process", &see_process},
    {"trace_process", &trace_process},
    {"read_process_memory", &read_process_memory},
    {"mount_something", &mount_something},
    {"new_user_namespace", &new_user_namespace},
    {"make_memfd", &make_memfd},
    {"map_writable_code", &map_writable_code},
    {"map_anonymous_code", &map_anonymous_code},
    {"make_data_code", &make_data_code},
    {"make_child", &make_child},
    {"start_program", &start_program},
    {"start_program_by_descriptor", &start_program_by_descriptor},
    {"start_program_by_any_number", &start_program_by_any_number},
    {"raise_limit", &raise_limit},
    {"type_into_terminal", &type_into_terminal},
    {"make_ring", &make_ring},
    {"truncate_descriptor", &truncate_descriptor},
    {"punch_hole", &punch_hole},
    {"call_of_32_bits", &call_of_32_bits},
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || kAttempts.count(arguments[1]) == 0) return 2;
  if (count > 2) argument = arguments[2];
  errno = 0;
  const long result = kAttempts.at(arguments[1])();
  std::puts(result < 0 ? ::strerrorname_np(errno) : "succeeded");
}
