// The program `fairlead`: picks the subcommand, and turns what it throws into one line on standard
// error and an exit code.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fairlead::tools {

struct Command {
  std::string_view name;
  std::string_view summary;
  int failure;  // exit code when it throws
  int usage;    // exit code for a wrong command line
  /// Arguments from the subcommand's name on. May throw Error, UsageError, std::exception.
  int (*run)(int count, const char* const* arguments);
};

[[nodiscard]] std::span<const Command> commands();

/// All of main().
int run_program(int count, const char* const* arguments) noexcept;

/// "fairlead pub: sentence", as one line whatever the sentence holds.
void report(std::string_view program, std::string_view sentence);

}  // namespace fairlead::tools
