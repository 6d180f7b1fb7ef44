#include "support/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <thread>

#include <fairlead/shm/error.hpp>

#if FAIRLEAD_COVERED
extern "C" void __gcov_dump();  // gcov.h declares it for C only
#endif

namespace fairlead::test {
namespace {

constexpr int kSignalMilliseconds = 30'000;
constexpr int kResultMilliseconds = 60'000;

void make_pipe(shm::UniqueFd& reader, shm::UniqueFd& writer) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_system("pipe");
  reader.reset(ends[0]);
  writer.reset(ends[1]);
}

bool wait_readable(int fd, int milliseconds) noexcept {
  pollfd entry{fd, POLLIN, 0};
  int ready = 0;
  do ready = ::poll(&entry, 1, milliseconds);
  while (ready < 0 && errno == EINTR);  // somebody asked us to end, which is no answer
  return ready == 1;
}

std::string run_body(const std::function<std::string()>& body) noexcept {
  try {
    return body();
  } catch (const std::exception& error) {
    return std::string("exception: ") + error.what();
  }
}

// What _exit() leaves out: the lines that the child reached count, too.
void write_coverage() noexcept {
#if FAIRLEAD_COVERED
  ::__gcov_dump();
#endif
}

bool write_file(const char* path, const std::string& text) {
  const shm::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool own_mount_namespace() {
  if (::unshare(CLONE_NEWNS) == 0) return true;
  const uid_t user = ::getuid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  return write_file("/proc/self/uid_map",
                    std::to_string(user) + " " + std::to_string(user) + " 1\n");
}

}  // namespace

Signal::Signal() { make_pipe(reader_, writer_); }

void Signal::send() noexcept {
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = ::write(writer_.get(), &byte, 1);
}

bool Signal::wait() noexcept {
  char byte = 0;
  return wait_readable(reader_.get(), kSignalMilliseconds) && ::read(reader_.get(), &byte, 1) == 1;
}

bool send_signal(pid_t process, int number) noexcept {
  return process > 0 && ::kill(process, number) == 0;
}

ChildProcess::ChildProcess(std::function<std::string()> body) {
  shm::UniqueFd writer;
  make_pipe(report_, writer);
  pid_ = ::fork();
  if (pid_ < 0) throw_system("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string sentence = run_body(body);
  [[maybe_unused]] const ssize_t written = ::write(writer.get(), sentence.data(), sentence.size());
  write_coverage();
  ::_exit(0);
}

ChildProcess::~ChildProcess() { kill(); }

void ChildProcess::kill() {
  if (!send_signal(pid_, SIGKILL)) return;
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string ChildProcess::result() {
  std::string sentence;
  char buffer[512];
  for (;;) {
    if (!wait_readable(report_.get(), kResultMilliseconds)) {
      kill();
      return "the child hung";
    }
    const ssize_t got = ::read(report_.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    sentence.append(buffer, static_cast<std::size_t>(got));
  }
  int status = 0;
  if (::waitpid(pid_, &status, 0) == pid_ && WIFSIGNALED(status)) {
    sentence += "killed by signal " + std::to_string(WTERMSIG(status));
  }
  pid_ = -1;
  return sentence;
}

bool ChildProcess::wait_until_asleep() const {
  const std::string path = "/proc/" + std::to_string(pid_) + "/stat";
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(kSignalMilliseconds);
  while (std::chrono::steady_clock::now() < deadline) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    // The state stands behind the command, which may itself hold ") S".
    const std::size_t end = line.rfind(") ");
    if (end == std::string::npos) return false;
    if (line.compare(end + 2, 1, "S") == 0) return true;
    std::this_thread::yield();
  }
  return false;
}

std::string mount_own_shared_memory(std::size_t bytes) {
  if (!own_mount_namespace()) return kSkipped + "no mount namespace: " + system_error_text(errno);
  // Private first: otherwise the mount would appear outside as well.
  const std::string options = "mode=1777,size=" + std::to_string(bytes);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return kSkipped + "no tmpfs of our own: " + system_error_text(errno);
  }
  return "";
}

}  // namespace fairlead::test
