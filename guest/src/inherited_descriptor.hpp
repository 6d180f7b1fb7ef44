// The descriptor that somebody who started us left open, named in FAIRLEAD_FD.
#pragma once

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::guest {

/// Takes it over, once per process. Throws Error: not_found (the variable is not set, or has been
/// used), invalid_argument (what it names is no such descriptor).
[[nodiscard]] shm::UniqueFd take_inherited_descriptor();

/// The keeper's descriptor that was left open as well, named in FAIRLEAD_KEEPER_FD; it stays open.
/// -1 if there is none. Throws Error(invalid_argument): what it names is no such descriptor.
[[nodiscard]] int find_keeper_descriptor();

/// Throws Error(invalid_argument) with `what` at its start unless it is a connected SOCK_SEQPACKET
/// socket of this machine.
void require_control_socket(int descriptor, const char* what);

}  // namespace fairlead::guest
