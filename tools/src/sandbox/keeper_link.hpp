// How `fairlead run` gets to know the process of CMD, which is in another PID namespace and not its
// child.
#pragma once

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::tools::sandbox {

class KeeperLink {
 public:
  /// Throws Error.
  KeeperLink();

  /// For the launcher, who inherits it; close-on-exec here.
  [[nodiscard]] int launchers_end() const noexcept { return theirs_.get(); }

  /// Waits for the launcher's word: a descriptor of its process (pidfd), invalid when the sandbox
  /// ended before. Closes the launcher's end here.
  [[nodiscard]] shm::UniqueFd wait_for_launcher();

  [[nodiscard]] bool launched() const noexcept { return launched_; }

 private:
  shm::UniqueFd ours_;
  shm::UniqueFd theirs_;
  bool launched_ = false;
};

}  // namespace fairlead::tools::sandbox
