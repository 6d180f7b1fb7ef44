#include "run/child_runner.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/error.hpp>

#include "command_line.hpp"
#include "program.hpp"

namespace fairlead::tools {
namespace {

constexpr std::array<int, 6> kPassedOn = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

// Blocks what is waited for, and gives the child the mask that we began with.
class BlockedSignals {
 public:
  BlockedSignals() {
    ::sigemptyset(&waited_);
    for (const int number : kPassedOn) ::sigaddset(&waited_, number);
    ::sigaddset(&waited_, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &waited_, &before_);  // NOLINT(concurrency-mt-unsafe): one thread
    // Ignored, as some parents leave it, children vanish without an exit code.
    ::signal(SIGCHLD, SIG_DFL);
  }
  ~BlockedSignals() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);  // NOLINT(concurrency-mt-unsafe): one thread
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  [[nodiscard]] const sigset_t& before() const noexcept { return before_; }
  [[nodiscard]] siginfo_t wait() const noexcept {
    siginfo_t info{};
    while (::sigwaitinfo(&waited_, &info) < 0) {
    }
    return info;
  }

 private:
  sigset_t waited_{};
  sigset_t before_{};
};

std::vector<std::string> environment_with(int descriptor) {
  const std::string name = std::string(guest::kInheritedDescriptorVariable) + '=';
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with(name)) variables.emplace_back(*variable);
  }
  variables.push_back(name + std::to_string(descriptor));
  return variables;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  // POSIX promises not to write through them.
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// posix_spawn() and not fork(): it tells why exec failed, and nothing of ours runs in the child.
int spawn(const std::vector<std::string>& command, int connection, const ChildOptions& options,
          const BlockedSignals& signals, pid_t& child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  // Onto itself: clears close-on-exec, in the child only.
  ::posix_spawn_file_actions_adddup2(&actions, connection, connection);
  if (options.descriptor >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, options.descriptor, options.descriptor);
  }
  ::posix_spawnattr_setsigmask(&attributes, &signals.before());
  const int group = options.own_group ? POSIX_SPAWN_SETPGROUP : 0;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | group));
  const auto variables = environment_with(connection);
  const int error = ::posix_spawnp(&child, command.front().c_str(), &actions, &attributes,
                                   pointers(command).data(), pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

int exit_code(int status) noexcept {
  return WIFSIGNALED(status) ? kExitSignal + WTERMSIG(status) : WEXITSTATUS(status);
}

// The terminal sends to the whole foreground group, so the child has it already.
bool came_from_terminal(const siginfo_t& info) noexcept { return info.si_code == SI_KERNEL; }

struct Receiver {
  pid_t child = -1;
  shm::UniqueFd other;            // invalid: the child
  bool has_terminals_too = true;  // the terminal's signals reach it without us
};

void pass_on(const siginfo_t& info, const Receiver& receiver) {
  if (receiver.has_terminals_too && came_from_terminal(info)) return;
  if (receiver.other) {
    ::syscall(SYS_pidfd_send_signal, receiver.other.get(), info.si_signo, nullptr, 0);
  } else {
    ::kill(receiver.child, info.si_signo);
  }
}

int wait_for(const Receiver& receiver, const BlockedSignals& signals) {
  for (;;) {
    const siginfo_t info = signals.wait();
    if (info.si_signo != SIGCHLD) {
      pass_on(info, receiver);
      continue;
    }
    int status = 0;
    pid_t ended = 0;
    do {
      ended = ::waitpid(receiver.child, &status, WNOHANG);
    } while (ended < 0 && errno == EINTR);
    if (ended == receiver.child) return exit_code(status);
  }
}

}  // namespace

int cannot_start(const std::string& program, int error) {
  report("fairlead run", "cannot start '" + program + "': " + system_error_text(error));
  return error == ENOENT ? kNotFound : kCannotStart;
}

int run_child(const std::vector<std::string>& command, shm::UniqueFd connection,
              const ChildOptions& options) {
  const BlockedSignals signals;
  Receiver receiver;
  receiver.has_terminals_too = !options.own_group;
  const int error = spawn(command, connection.get(), options, signals, receiver.child);
  if (error != 0) return cannot_start(command.front(), error);
  connection.reset();
  if (options.find_receiver) receiver.other = options.find_receiver();
  return wait_for(receiver, signals);
}

}  // namespace fairlead::tools
