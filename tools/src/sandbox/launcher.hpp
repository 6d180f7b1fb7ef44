// What bwrap starts inside the sandbox: this program once more, which takes from itself what bwrap
// cannot take (files by Landlock, system calls by seccomp, descriptors) and then becomes CMD.
#pragma once

#include <string>
#include <vector>

#include "sandbox/file_rules.hpp"

namespace fairlead::tools::sandbox {

/// Command of the `fairlead` program that only `fairlead run --sandbox` uses.
inline constexpr const char* kLaunchCommand = "sandbox-launch";

struct Launch {
  int keeper = -1;  // socket to `fairlead run`: "I am this process, about to begin"
  // All that is left beside 0, 1 and 2:
  int connection = -1;    // FAIRLEAD_FD
  int reconnection = -1;  // FAIRLEAD_KEEPER_FD
  bool needs_landlock = false;
  std::vector<FileRule> rules;
  std::string file;                // what to become
  std::vector<std::string> words;  // its argv
};

/// As arguments that begin with kLaunchCommand, for run_launcher().
[[nodiscard]] std::vector<std::string> arguments_of(const Launch& launch);

/// Returns only when it failed: an exit code of `fairlead run`. Throws Error.
int run_launcher(int count, const char* const* arguments);

}  // namespace fairlead::tools::sandbox
