// The daemon around a Broker.
#pragma once

#include "daemon/command_line.hpp"

namespace fairlead::broker::daemon {

/// Serves until SIGTERM or SIGINT; returns the exit code. Errors go to standard error, one line.
[[nodiscard]] int serve(const CommandLine& line);

}  // namespace fairlead::broker::daemon
