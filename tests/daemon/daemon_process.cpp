#include "daemon_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {

Daemon::Daemon(const DaemonOptions& options) : name_(unique_broker_name()) {
  char directory[] = "/tmp/fairlead-test-XXXXXX";
  directory_ = ::mkdtemp(directory);
  listen_for_notifications(options.abstract_notify_socket);
  std::vector<std::string> arguments;
  if (!options.plain) arguments = {"--name", name_, "--socket", socket_path()};
  if (!options.policy.empty()) {
    write_policy(options.policy);
    arguments.insert(arguments.end(), {"--policy", directory_ + "/policy.toml"});
  }
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  run(arguments, options);
}

void Daemon::listen_for_notifications(bool abstract) {
  notify_socket_ = abstract ? "@" + name_ : directory_ + "/notify";
  notifications_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, notify_socket_.data(), notify_socket_.size());
  if (abstract) address.sun_path[0] = '\0';
  // An abstract name is as long as it is said to be.
  const auto bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + notify_socket_.size());
  EXPECT_EQ(::bind(notifications_.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
}

void Daemon::run(const std::vector<std::string>& arguments, const DaemonOptions& options) {
  const std::string notify = "NOTIFY_SOCKET=" + notify_socket_;
  const std::string out = directory_ + "/out";
  const std::string err = directory_ + "/err";
  std::vector<char*> words = {const_cast<char*>(FAIRLEAD_BROKER_PROGRAM)};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  std::vector<char*> environment = {const_cast<char*>(notify.c_str())};
  for (const std::string& variable : options.environment)
    environment.push_back(const_cast<char*>(variable.c_str()));
  environment.push_back(nullptr);
  // By descriptor: another user may have no way to the build tree.
  const shm::UniqueFd program(::open(words[0], O_PATH | O_CLOEXEC));
  if (options.user != 0) {
    EXPECT_EQ(::chown(directory_.c_str(), options.user, options.user), 0);
    EXPECT_EQ(::chmod(notify_socket_.c_str(), 0777), 0);
  }
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves none behind
  ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
  if (options.standard_error == DaemonOptions::kClosed) {
    ::close(STDERR_FILENO);
  } else if (options.standard_error >= 0) {
    ::dup2(options.standard_error, STDERR_FILENO);
  } else {
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
  }
  if (options.descriptors != 0) {
    const rlimit limit{options.descriptors, options.descriptors};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (::chdir(directory_.c_str()) != 0) ::_exit(126);  // a core would go here
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = core.rlim_max;
  ::setrlimit(RLIMIT_CORE, &core);
  if (options.user != 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(options.user, options.user, options.user) != 0 ||
       ::setresuid(options.user, options.user, options.user) != 0)) {
    ::_exit(126);
  }
  if (options.user != 0) ::fexecve(program.get(), words.data(), environment.data());
  ::execve(words[0], words.data(), environment.data());
  ::_exit(127);
}

Daemon::~Daemon() {
  if (send_signal(pid_, SIGKILL)) ::waitpid(pid_, &status_, 0);
  for (const std::string& left : segments()) ::unlink(shm::segment_path(left).c_str());
  std::filesystem::remove_all(directory_);
}

std::string Daemon::notified(const std::string& piece) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (shm::wait_for_events(notifications_.get(), POLLIN, deadline)) {
    char text[4'096];
    const ssize_t bytes = ::recv(notifications_.get(), text, sizeof text, 0);
    const std::string message(text, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    if (message.find(piece) != std::string::npos) return message;
  }
  return {};
}

void Daemon::signal(int number) const { send_signal(pid_, number); }

int Daemon::exit_code() {
  if (pid_ > 0) {
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

bool Daemon::dumped_core() const noexcept { return WCOREDUMP(status_); }

std::string Daemon::file(const std::string& name) const {
  std::ifstream stream(directory_ + "/" + name);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string Daemon::standard_error() { return file("err"); }
std::string Daemon::standard_output() { return file("out"); }

void Daemon::write_policy(const std::string& text) const {
  std::ofstream(directory_ + "/policy.toml") << text;
}

std::vector<std::string> Daemon::segments() const {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + name_ + ".")) files.push_back(listed.file);
  }
  return files;
}

}  // namespace fairlead::test
