// The options by which pub, sub and run find their broker and say who they are.
#pragma once

#include <chrono>
#include <string>

#include <fairlead/guest/guest.hpp>

#include "command_line.hpp"

namespace fairlead::tools {

/// --socket and --broker.
void add_broker_options(CommandLine& line);
/// --principal.
void add_principal_option(CommandLine& line);

/// --resume.
void add_resume_option(CommandLine& line);

/// The path of the broker's socket as the options have it. Throws UsageError.
[[nodiscard]] std::string socket_path_of(const CommandLine& line);

/// How long to look for the next broker when this one is gone (R34). Throws UsageError.
[[nodiscard]] std::chrono::nanoseconds resume_time_of(const CommandLine& line);

/// Attaches over the socket, or over the connection that `fairlead run` left (FAIRLEAD_FD) when the
/// options name no broker. The line has --resume. Throws Error, UsageError.
[[nodiscard]] guest::Guest attach(const CommandLine& line, const std::string& program);

/// A principal as people write it, checked. Throws UsageError.
[[nodiscard]] std::string checked_principal(const std::string& written);

}  // namespace fairlead::tools
