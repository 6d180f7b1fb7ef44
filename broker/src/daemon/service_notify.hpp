// Tells the service manager how we are: the sd_notify protocol (sd_notify(3)), without its library.
#pragma once

#include <string_view>

namespace fairlead::broker::daemon {

/// Sends `state` ("READY=1\nSTATUS=...") to $NOTIFY_SOCKET, a path or, beginning with '@', an
/// abstract name. Does nothing without that variable; never blocks, never fails loudly.
void notify_service_manager(std::string_view state) noexcept;

/// For RELOADING=1, which wants the time of the message: "MONOTONIC_USEC=...".
void notify_reloading() noexcept;

}  // namespace fairlead::broker::daemon
