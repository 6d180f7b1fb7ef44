// fairlead-broker as a process that can be killed and started again under its name.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

#include "support/program.hpp"

namespace fairlead::test {

class RestartedBroker {
 public:
  /// Does not start it yet. `arguments` beside --name and --socket.
  explicit RestartedBroker(std::vector<std::string> arguments);
  /// Kills it if it still runs, and removes what it left.
  ~RestartedBroker();
  RestartedBroker(const RestartedBroker&) = delete;
  RestartedBroker& operator=(const RestartedBroker&) = delete;

  void start();
  /// Empty once it serves, else what went wrong.
  [[nodiscard]] std::string wait_until_ready();
  /// SIGKILL, and until the kernel has finished with it.
  void end_at_once();
  /// SIGTERM; its exit code, 128 + signal, or -1 after 30 seconds.
  [[nodiscard]] int stop();
  /// It runs.
  [[nodiscard]] bool alive();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::string socket() const { return directory_.path_of("broker.sock"); }
  /// What all its lives have logged.
  [[nodiscard]] std::string log() const;
  /// Names of its files in /dev/shm.
  [[nodiscard]] std::vector<std::string> segments() const;

 private:
  std::string name_;
  std::vector<std::string> arguments_;
  ScratchDirectory directory_;
  shm::UniqueFd notifications_;
  pid_t pid_ = -1;
};

}  // namespace fairlead::test
