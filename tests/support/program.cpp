#include "support/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include <gtest/gtest.h>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatienceOfPrograms = std::chrono::seconds(30);

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  shm::UniqueFd reader;
  shm::UniqueFd writer;
};

std::vector<std::string> merged_environment(const std::vector<std::string>& additions) {
  std::vector<std::string> variables = additions;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::any_of(additions.begin(), additions.end(),
                                      [&](const auto& added) { return added.starts_with(name); });
    if (!replaced) variables.push_back(text);
  }
  return variables;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

bool read_into(shm::UniqueFd& descriptor, std::string& text) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t got = ::read(descriptor.get(), buffer.data(), buffer.size());
  if (got <= 0) {
    descriptor.reset();
    return false;
  }
  text.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

}  // namespace

Program::Program(const std::vector<std::string>& command, const ProgramOptions& options) {
  Pipe input;
  Pipe output;
  Pipe error;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.reader.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output.writer.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, error.writer.get(), STDERR_FILENO);
  // Whatever our own parents ignore, a program at a terminal does not.
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const auto variables = merged_environment(options.environment);
  EXPECT_EQ(::posix_spawn(&pid_, command.front().c_str(), &actions, &attributes,
                          pointers(command).data(), pointers(variables).data()),
            0)
      << command.front();
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (options.keep_input) input_ = std::move(input.writer);
  output_ = std::move(output.reader);
  error_ = std::move(error.reader);
}

Program::~Program() {
  if (!send_signal(pid_, SIGKILL)) return;
  ::waitpid(pid_, nullptr, 0);
}

bool Program::signal(int number) const { return send_signal(pid_, number); }

void Program::write_input(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(input_.get(), rest.data(), rest.size());
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

// False when there will be no more.
bool Program::read_more() {
  std::array<pollfd, 2> entries = {{{output_.get(), POLLIN, 0}, {error_.get(), POLLIN, 0}}};
  if (!output_ && !error_) return false;
  const auto patience = std::chrono::milliseconds(kPatienceOfPrograms).count();
  if (::poll(entries.data(), entries.size(), static_cast<int>(patience)) <= 0) return false;
  if (entries[0].revents != 0) read_into(output_, output_text_);
  if (entries[1].revents != 0) read_into(error_, error_text_);
  return true;
}

bool Program::wait_for(const std::string& text, const std::string& piece) {
  while (text.find(piece) == std::string::npos) {
    if (!read_more()) return false;
  }
  return true;
}

bool Program::wait_for_output(const std::string& piece) { return wait_for(output_text_, piece); }

bool Program::wait_for_error(const std::string& piece) { return wait_for(error_text_, piece); }

int Program::exit_code() {
  const auto deadline = Clock::now() + kPatienceOfPrograms;
  while (read_more()) {
  }
  const shm::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!shm::wait_for_events(process.get(), POLLIN, deadline)) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Ended run_to_end(const std::vector<std::string>& command, const std::string& input,
                 const ProgramOptions& options) {
  ProgramOptions with_input = options;
  with_input.keep_input = true;
  Program program(command, with_input);
  // Short enough for the pipe, or read by the program as it comes.
  program.write_input(input);
  program.end_input();
  Ended ended;
  ended.code = program.exit_code();
  ended.output = program.output();
  ended.error = program.error();
  return ended;
}

std::vector<std::string> fairlead(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), FAIRLEAD_PROGRAM);
  return arguments;
}

ScratchDirectory::ScratchDirectory() {
  char name[] = "/tmp/fairlead-test-XXXXXX";
  path_ = ::mkdtemp(name);
}

ScratchDirectory::~ScratchDirectory() { std::filesystem::remove_all(path_); }

std::string ScratchDirectory::write(const std::string& file, const std::string& text) const {
  std::ofstream(path_of(file)) << text;
  return path_of(file);
}

BrokerProcess::BrokerProcess(const std::string& policy, const std::vector<std::string>& arguments)
    : name_(unique_broker_name()),
      command_({FAIRLEAD_BROKER_PROGRAM, "--name", name_, "--socket", socket()}) {
  if (!policy.empty()) {
    command_.insert(command_.end(), {"--policy", directory_.write("policy.toml", policy)});
  }
  command_.insert(command_.end(), arguments.begin(), arguments.end());
  start();
}

void BrokerProcess::start() {
  const std::string notify = directory_.path_of("notify");
  const shm::UniqueFd notifications(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, notify.c_str());
  ::unlink(notify.c_str());
  EXPECT_EQ(::bind(notifications.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  program_ = std::make_unique<Program>(command_,
                                       ProgramOptions{.environment = {"NOTIFY_SOCKET=" + notify}});
  const auto deadline = Clock::now() + kPatienceOfPrograms;
  std::array<char, 4'096> text{};
  while (std::string_view(text.data()).find("READY=1") == std::string_view::npos) {
    if (!shm::wait_for_events(notifications.get(), POLLIN, deadline)) {
      ADD_FAILURE() << "the broker does not get ready: " << program_->error();
      return;
    }
    text.fill('\0');
    (void)!::recv(notifications.get(), text.data(), text.size() - 1, 0);
  }
}

void BrokerProcess::end_by(int signal) const {
  program_->signal(signal);
  (void)program_->exit_code();
}

BrokerProcess::~BrokerProcess() {
  if (program_->signal(SIGTERM)) program_->exit_code();
  // A broker that a test killed leaves its segments.
  for (const std::string& left : segments()) ::unlink(shm::segment_path(left).c_str());
}

std::vector<std::string> BrokerProcess::segments() const {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + name_ + ".")) files.push_back(listed.file);
  }
  return files;
}

}  // namespace fairlead::test
