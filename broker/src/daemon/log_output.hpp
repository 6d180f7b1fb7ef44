// The daemon's log: one line per event on standard error.
#pragma once

#include <functional>

#include <fairlead/broker/options.hpp>

#include "daemon/command_line.hpp"

namespace fairlead::broker::daemon {

/// A sink for BrokerOptions::logger.
[[nodiscard]] std::function<void(const LogRecord&)> make_log(LogFormat format, LogLevel level);

}  // namespace fairlead::broker::daemon
