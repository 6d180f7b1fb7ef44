// What a sandbox is made of: decided in one place, then applied by bwrap and the launcher, and
// shown by --explain.
#pragma once

#include <string>
#include <vector>

#include "sandbox/file_rules.hpp"

namespace fairlead::tools::sandbox {

// Where the guest's world has this very program, to close itself in. Landlock hides it from CMD.
inline constexpr const char* kLauncherPath = "/.fairlead";

struct SandboxWishes {
  std::vector<std::string> read_paths;     // --bind-read
  std::vector<std::string> program_files;  // CMD, and its script
};

struct Bind {
  std::string path;  // the same inside and outside, read-only
  std::string why;
};

struct Link {
  std::string path;
  std::string target;
};

struct SandboxPlan {
  std::string bubblewrap;  // empty when there is none
  std::string launcher;    // our own file
  std::vector<Bind> binds;
  std::vector<Link> links;  // of a merged /usr
  std::vector<FileRule> rules;
};

/// Looks at this machine, changes nothing. Throws UsageError for a path that cannot be bound or
/// that would open the sandbox ("/", "/proc", "/dev", "/sys").
[[nodiscard]] SandboxPlan plan_sandbox(const SandboxWishes& wishes);

/// bwrap's arguments, up to the program that it is to start.
[[nodiscard]] std::vector<std::string> bubblewrap_command(const SandboxPlan& plan);

}  // namespace fairlead::tools::sandbox
