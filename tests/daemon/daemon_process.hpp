// fairlead-broker as a real process, in a directory and under a name of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::test {

struct DaemonOptions {
  std::vector<std::string> arguments{};  // beside --name and --socket
  std::string policy{};
  bool plain = false;  // only `arguments`, nothing of ours
  // Where its standard error goes: a descriptor, or kClosed; by default what standard_error()
  // tells.
  int standard_error = -1;
  static constexpr int kClosed = -2;
  bool abstract_notify_socket = false;
  std::uint64_t descriptors = 0;           // its limit of open files; 0: ours
  uid_t user = 0;                          // whom it runs as, with its directory; 0: us
  std::vector<std::string> environment{};  // "NAME=value"; it has nothing else
};

class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Waits for a message of the sd_notify protocol with that piece; the whole message, or empty.
  [[nodiscard]] std::string notified(const std::string& piece);
  /// Waits until it serves.
  [[nodiscard]] bool ready() { return !notified("READY=1").empty(); }

  void signal(int number) const;
  /// Waits for the end: the exit code, or 128 + signal.
  int exit_code();
  [[nodiscard]] bool dumped_core() const noexcept;  // call after exit_code()
  /// All that it wrote; call after exit_code().
  [[nodiscard]] std::string standard_error();
  [[nodiscard]] std::string standard_output();
  void write_policy(const std::string& text) const;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  [[nodiscard]] std::string socket_path() const { return directory_ + "/broker.sock"; }
  [[nodiscard]] std::vector<std::string> segments() const;

 private:
  [[nodiscard]] std::string file(const std::string& name) const;
  void listen_for_notifications(bool abstract);
  void run(const std::vector<std::string>& arguments, const DaemonOptions& options);

  std::string name_;
  std::string directory_;
  std::string notify_socket_;
  shm::UniqueFd notifications_;
  pid_t pid_ = -1;
  int status_ = 0;
};

}  // namespace fairlead::test
