// Real processes for tests: a forked child that runs a function, and pipes to take turns by.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::test {

/// kill(2), but never of a group or of everybody: false for a process number that is not positive,
/// such as the -1 of a child that was collected before.
bool send_signal(pid_t process, int number) noexcept;

/// One process tells another that it got somewhere. Made before the fork, used by both.
class Signal {
 public:
  Signal();
  void send() noexcept;
  /// False when it did not come within 30 seconds, or when all its senders are gone.
  [[nodiscard]] bool wait() noexcept;

 private:
  shm::UniqueFd reader_;
  shm::UniqueFd writer_;
};

/// A child that runs `body` and then exits without running anything else. Its result is a sentence
/// about what went wrong, empty when nothing did; an escaping exception becomes its text. Whatever
/// happens, it is killed and collected with this object.
class ChildProcess {
 public:
  explicit ChildProcess(std::function<std::string()> body);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Sends SIGKILL and waits until the kernel has finished with it: its locks are released then.
  void kill();
  /// Waits for the end, 60 seconds at most. "killed by signal 9" when it left no sentence.
  [[nodiscard]] std::string result();
  /// Waits until its only thread sleeps in the kernel (in a futex, say). False after 30 seconds.
  [[nodiscard]] bool wait_until_asleep() const;

 private:
  pid_t pid_ = -1;
  shm::UniqueFd report_;
};

/// The sentence that a child says it skips with; tests pass it on to GTEST_SKIP.
inline const std::string kSkipped = "skipped: ";

/// In a child only: a mount namespace of its own, with a tmpfs of `bytes` over /dev/shm. Empty, or
/// kSkipped and why this machine cannot.
std::string mount_own_shared_memory(std::size_t bytes);

}  // namespace fairlead::test
