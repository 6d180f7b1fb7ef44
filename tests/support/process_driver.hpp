// The guest's end of routes in a child process: segments by descriptor, commands over a channel.
#pragma once

#include <memory>

#include "support/route_driver.hpp"

namespace fairlead::test {

/// Forks at once: the caller has no other threads. The child ends with the driver.
[[nodiscard]] std::unique_ptr<RouteDriver> make_process_driver();

}  // namespace fairlead::test
