// Starts a program with an inherited connection, lives as long as it does, and meanwhile connects
// it again when the broker was restarted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::tools {

inline constexpr int kCannotStart = 126;
inline constexpr int kNotFound = 127;

struct ChildOptions {
  int descriptor = -1;     // it inherits this one, too
  bool own_group = false;  // the terminal's signals reach it through us only
  /// Called when it has begun: a descriptor of the process that signals are meant for (pidfd), if
  /// that is not the child itself.
  std::function<shm::UniqueFd()> find_receiver{};
};

/// Says on standard error why, and gives the exit code for that errno.
int cannot_start(const std::string& program, int error);

/// Runs command[0] (looked up in PATH) with `connection` open at the number that FAIRLEAD_FD names
/// and the keeper's guest's end at that of FAIRLEAD_KEEPER_FD, serves that one, and passes SIGHUP,
/// SIGINT, SIGQUIT, SIGTERM, SIGUSR1 and SIGUSR2 on, but for those that the terminal has sent to
/// both already. The connection is closed here, so that it ends with the command. Returns the
/// command's exit code, 128 plus the signal that ended it, or one of the above, with a line on
/// standard error. Throws Error.
int run_child(const std::vector<std::string>& command, shm::UniqueFd connection,
              guest::Keeper& keeper, const ChildOptions& options = {});

}  // namespace fairlead::tools
