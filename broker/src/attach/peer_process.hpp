// Which process a peer is. A pid alone does not say: once its process is dead, another gets it.
#pragma once

#include <sys/types.h>

#include <fairlead/shm/unique_fd.hpp>

#include "attach/boundary.hpp"

namespace fairlead::broker {

/// A pidfd of the process that connected `socket`; call it as soon as the connection is accepted.
/// Never another's (SO_PEERPIDFD, Linux 6.5); before that kernel, of the process that has `pid`
/// now. Invalid when it is dead or out of sight, or there are no descriptors left.
[[nodiscard]] shm::UniqueFd open_connector(int socket, pid_t pid) noexcept;

/// False for an invalid descriptor.
[[nodiscard]] bool is_alive(const shm::UniqueFd& process) noexcept;

/// gather_peer_facts() of the process behind the pidfd. It has its pid as long as it lives: if it
/// is dead afterwards, somebody else may have been looked at, and all is `unknown`.
[[nodiscard]] PeerFacts gather_facts_of(const shm::UniqueFd& process, pid_t pid, uid_t user);

}  // namespace fairlead::broker
