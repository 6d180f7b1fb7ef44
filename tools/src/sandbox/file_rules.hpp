// Landlock: what of the file system a sandboxed guest may read. It may write nothing.
#pragma once

#include <string>
#include <vector>

namespace fairlead::tools::sandbox {

struct FileRule {
  std::string path;
  bool execute = false;  // also: may be mapped as code by the loader
};

/// The kernel's version of Landlock; 0 without.
[[nodiscard]] int landlock_version() noexcept;

/// What a kernel of that version holds a guest to, as a sentence.
[[nodiscard]] std::string landlock_text(int version);

/// From now on this process and what it becomes reads below these paths and writes nowhere. A path
/// that does not exist is left out. Needs landlock_version() > 0. Throws Error.
void restrict_files(const std::vector<FileRule>& rules);

}  // namespace fairlead::tools::sandbox
