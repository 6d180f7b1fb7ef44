// What the daemon asks of the kernel before it begins.
#pragma once

#include <csignal>
#include <string>

namespace fairlead::broker::daemon {

/// Nobody of our uid may attach a debugger or read our memory through /proc (but root).
void forbid_inspection() noexcept;

/// Whatever our parent forgot to close, but for the standard streams: nobody sees a hang-up while
/// we live, and none of it is ours to keep. Before anything else is opened.
void close_inherited_descriptors() noexcept;

/// Whoever closed 0, 1 or 2 must not find our sockets and segments there, and our log in them.
void fill_standard_descriptors() noexcept;

/// Descriptors: routes and guests cost some each. Up to the hard limit.
void raise_descriptor_limit() noexcept;

/// Makes the socket's directory (mode 0755), not its parents. A failure shows when listening.
void make_directory_of(const std::string& socket_path) noexcept;

/// Blocks the signals that serve() waits for, in this thread and those it will start.
[[nodiscard]] sigset_t block_signals() noexcept;

}  // namespace fairlead::broker::daemon
