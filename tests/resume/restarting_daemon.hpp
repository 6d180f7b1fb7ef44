// fairlead-broker that is killed and started again, under one name and socket.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

#include "support/program.hpp"

namespace fairlead::test {

class RestartingDaemon {
 public:
  explicit RestartingDaemon(std::vector<std::string> arguments = {});
  ~RestartingDaemon();
  RestartingDaemon(const RestartingDaemon&) = delete;
  RestartingDaemon& operator=(const RestartingDaemon&) = delete;

  /// SIGKILL; it is gone when this returns.
  void die();
  /// SIGTERM, likewise.
  void stop();
  /// Returns when it serves.
  void start();
  void kill_and_restart() {
    die();
    start();
  }

  [[nodiscard]] std::string socket_path() const { return directory_.path_of("broker.sock"); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] Program& program() noexcept { return *program_; }

 private:
  std::string name_;
  ScratchDirectory directory_;
  std::vector<std::string> arguments_;
  shm::UniqueFd notifications_;
  std::unique_ptr<Program> program_;
};

}  // namespace fairlead::test
