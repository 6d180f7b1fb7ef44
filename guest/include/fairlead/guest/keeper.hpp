// For programs that start guests (`fairlead run`): a guest without access to any file is handed a
// connection whose principal is fixed already.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::guest {

/// Connects to the broker at `socket_path` and has it fix the connection's principal: whoever gets
/// this descriptor can attach as `principal` and as nobody else. "system" or "" is system. The
/// descriptor is close-on-exec, see let_children_inherit().
///
/// Throws Error: broker_gone, denied (the policy does not let this uid mint that principal),
/// invalid_principal, timeout, protocol, system.
[[nodiscard]] shm::UniqueFd connect_as(const std::string& socket_path, std::string_view principal,
                                       std::chrono::nanoseconds timeout = std::chrono::seconds(10));

/// Clears close-on-exec and returns "FAIRLEAD_FD=<number>", for the environment of the child that
/// shall find it with Guest::attach(). Every child started from now on inherits it: do this in the
/// child between fork() and exec(), or close the descriptor right after. Throws Error.
[[nodiscard]] std::string let_children_inherit(const shm::UniqueFd& descriptor);

}  // namespace fairlead::guest
