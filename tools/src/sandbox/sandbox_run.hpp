// `fairlead run --sandbox`: puts the pieces together.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::tools::sandbox {

struct SandboxOptions {
  std::vector<std::string> read_paths;
  bool require_landlock = false;
};

/// As run_child(), in a sandbox. Connects only when everything else is known to be there.
int run_in_sandbox(const std::vector<std::string>& command, const SandboxOptions& options,
                   const std::function<shm::UniqueFd()>& connect, guest::Keeper& keeper);

/// Prints what would be applied; `command` may be empty. Starts and connects nothing.
void explain_sandbox(const std::vector<std::string>& command, const SandboxOptions& options);

}  // namespace fairlead::tools::sandbox
