#include "run/child_runner.hpp"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
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
    arriving_.reset(::signalfd(-1, &waited_, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!arriving_) throw_system("cannot wait for signals");
  }
  ~BlockedSignals() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);  // NOLINT(concurrency-mt-unsafe): one thread
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  [[nodiscard]] const sigset_t& before() const noexcept { return before_; }
  /// Readable when take() has something.
  [[nodiscard]] int descriptor() const noexcept { return arriving_.get(); }
  [[nodiscard]] bool take(signalfd_siginfo& info) const noexcept {
    return ::read(arriving_.get(), &info, sizeof info) == sizeof info;
  }

 private:
  sigset_t waited_{};
  sigset_t before_{};
  shm::UniqueFd arriving_;
};

std::vector<std::string> environment_with(int connection, int keeper) {
  const std::string name = std::string(guest::kInheritedDescriptorVariable) + '=';
  const std::string keepers_name = std::string(guest::kKeeperDescriptorVariable) + '=';
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with(name) && !text.starts_with(keepers_name)) variables.emplace_back(text);
  }
  variables.push_back(name + std::to_string(connection));
  variables.push_back(keepers_name + std::to_string(keeper));
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
int spawn(const std::vector<std::string>& command, int connection, int keeper,
          const ChildOptions& options, const BlockedSignals& signals, pid_t& child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  // Onto itself: clears close-on-exec, in the child only.
  for (const int inherited : {connection, keeper, options.descriptor}) {
    if (inherited >= 0) ::posix_spawn_file_actions_adddup2(&actions, inherited, inherited);
  }
  ::posix_spawnattr_setsigmask(&attributes, &signals.before());
  const int group = options.own_group ? POSIX_SPAWN_SETPGROUP : 0;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | group));
  const auto variables = environment_with(connection, keeper);
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
bool came_from_terminal(const signalfd_siginfo& info) noexcept {
  return info.ssi_code == SI_KERNEL;
}

struct Receiver {
  pid_t child = -1;
  shm::UniqueFd other;            // invalid: the child
  bool has_terminals_too = true;  // the terminal's signals reach it without us
};

void pass_on(const signalfd_siginfo& info, const Receiver& receiver) {
  const int number = static_cast<int>(info.ssi_signo);
  if (receiver.has_terminals_too && came_from_terminal(info)) return;
  if (receiver.other) {
    ::syscall(SYS_pidfd_send_signal, receiver.other.get(), number, nullptr, 0);
  } else {
    ::kill(receiver.child, number);
  }
}

// The exit code, once the child has ended.
std::optional<int> take_signals(const Receiver& receiver, const BlockedSignals& signals) {
  signalfd_siginfo info{};
  while (signals.take(info)) {
    if (info.ssi_signo != SIGCHLD) {
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
  return std::nullopt;
}

int wait_for(const Receiver& receiver, const BlockedSignals& signals, guest::Keeper& keeper) {
  std::array<pollfd, 2> entries = {
      {{signals.descriptor(), POLLIN, 0}, {keeper.descriptor(), POLLIN, 0}}};
  for (;;) {
    if (::poll(entries.data(), entries.size(), -1) < 0) continue;
    if (const auto code = take_signals(receiver, signals)) return *code;
    if (entries[1].revents != 0 && !keeper.serve()) entries[1].fd = -1;
  }
}

}  // namespace

int cannot_start(const std::string& program, int error) {
  report("fairlead run", "cannot start '" + program + "': " + system_error_text(error));
  return error == ENOENT ? kNotFound : kCannotStart;
}

int run_child(const std::vector<std::string>& command, shm::UniqueFd connection,
              guest::Keeper& keeper, const ChildOptions& options) {
  const BlockedSignals signals;
  Receiver receiver;
  receiver.has_terminals_too = !options.own_group;
  const int error =
      spawn(command, connection.get(), keeper.guests_end(), options, signals, receiver.child);
  if (error != 0) return cannot_start(command.front(), error);
  connection.reset();
  keeper.close_guests_end();
  if (options.find_receiver) receiver.other = options.find_receiver();
  return wait_for(receiver, signals, keeper);
}

}  // namespace fairlead::tools
