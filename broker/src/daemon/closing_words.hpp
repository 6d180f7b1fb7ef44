// What a daemon's log ends with.
#pragma once

#include <string>

#include <fairlead/broker/statistics.hpp>

namespace fairlead::broker::daemon {

/// How many came, and how many were refused, poisoned or disconnected and why, in one line.
[[nodiscard]] std::string closing_words(const BrokerStatistics& statistics);

}  // namespace fairlead::broker::daemon
