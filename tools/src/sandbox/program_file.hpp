// Which file a command means, found before the sandbox closes around it.
#pragma once

#include <string>
#include <vector>

namespace fairlead::tools::sandbox {

struct ProgramFile {
  int error = 0;                   // errno when it cannot be started
  std::string file;                // absolute; of a script its interpreter
  std::vector<std::string> words;  // argv
  std::vector<std::string> needs;  // files that it cannot start without: itself, the script
};

/// Looks command[0] up in PATH as a shell would. A script becomes its interpreter with the script
/// for an argument, because the kernel would have to open the script once more; `env` in its first
/// line is looked up here, because the guest cannot start a second program.
[[nodiscard]] ProgramFile find_program_file(const std::vector<std::string>& command);

}  // namespace fairlead::tools::sandbox
