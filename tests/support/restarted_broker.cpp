#include "support/restarted_broker.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

constexpr std::chrono::seconds kPatienceWithBrokers{30};

}  // namespace

RestartedBroker::RestartedBroker(std::vector<std::string> arguments)
    : name_(unique_broker_name()), arguments_(std::move(arguments)) {
  notifications_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, directory_.path_of("notify").c_str());
  if (::bind(notifications_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw_system("bind");
  }
}

RestartedBroker::~RestartedBroker() {
  end_at_once();
  for (const std::string& left : segments()) ::unlink(shm::segment_path(left).c_str());
}

void RestartedBroker::start() {
  std::vector<std::string> words = {FAIRLEAD_BROKER_PROGRAM, "--name", name_, "--socket", socket()};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string notify = directory_.path_of("notify");
  const std::string log = directory_.path_of("log");
  pid_ = ::fork();
  if (pid_ < 0) throw_system("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a run that is killed leaves none behind
  ::setenv("NOTIFY_SOCKET", notify.c_str(), 1);
  ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

std::string RestartedBroker::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + kPatienceWithBrokers;
  for (;;) {
    // Short looks: a broker that ends instead says nothing.
    const auto look = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    if (shm::wait_for_events(notifications_.get(), POLLIN, look)) {
      std::array<char, 4'096> text{};
      const ssize_t got = ::recv(notifications_.get(), text.data(), text.size() - 1, 0);
      if (got > 0 && std::strstr(text.data(), "READY=1") != nullptr) return {};
    } else if (!alive()) {
      return "the broker ended instead of serving: " + log();
    } else if (std::chrono::steady_clock::now() > deadline) {
      return "the broker does not serve after 30 s: " + log();
    }
  }
}

void RestartedBroker::end_at_once() {
  if (!send_signal(pid_, SIGKILL)) return;
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  // What it said before its death is no news of the next one.
  std::array<char, 4'096> text{};
  while (::recv(notifications_.get(), text.data(), text.size(), MSG_DONTWAIT) > 0) {
  }
}

int RestartedBroker::stop() {
  if (!send_signal(pid_, SIGTERM)) return -1;
  const shm::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  const auto deadline = std::chrono::steady_clock::now() + kPatienceWithBrokers;
  if (!shm::wait_for_events(process.get(), POLLIN, deadline)) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool RestartedBroker::alive() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

std::string RestartedBroker::log() const {
  std::ifstream file(directory_.path_of("log"));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> RestartedBroker::segments() const {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + name_ + ".")) files.push_back(listed.file);
  }
  return files;
}

}  // namespace fairlead::test
