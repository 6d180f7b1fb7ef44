// Which boundary stands between a guest and everybody else's segments: enforced by the kernel, or
// only kept by a guest that behaves.
//
// A read-only descriptor is no boundary for a process of the broker's own uid: outside a sandbox it
// could signal the broker, open its named segments and /proc/PID/fd. So for one uid the boundary is
// enforced only for sealed segments and a guest that sees neither our processes nor our /dev/shm.
//
// This is what is reported and logged (architecture: Names, permissions, sandboxes). It looks at
// the process that connected, at that moment; who holds its descriptors besides, nobody can tell.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/segment.hpp>

namespace fairlead::broker {

enum class Separation : std::uint8_t { unknown, shared, apart };

enum class Capabilities : std::uint8_t {
  unknown,
  none,
  in_own_namespace,  // power over the things of its own user namespace, its mounts among them
  outside,           // power over things of our user namespace
};

/// What can be learned about a peer. `unknown` never counts in its favour.
struct PeerFacts {
  uid_t peer_user = static_cast<uid_t>(-1);
  uid_t broker_user = static_cast<uid_t>(-1);
  bool user_known = false;  // peer_user says who it is
  Separation user_namespace = Separation::unknown;
  Separation process_namespace = Separation::unknown;
  Separation mount_namespace = Separation::unknown;
  Separation shared_memory = Separation::unknown;  // can it reach the mount that is our /dev/shm?
  Separation proc = Separation::unknown;           // likewise our /proc
  Capabilities capabilities = Capabilities::unknown;
};

struct BoundaryVerdict {
  shm::Boundary boundary = shm::Boundary::cooperative;
  std::string sentence;  // why, for the log, the dump tool and the guest
};

/// Pure. Another known uid that is not root, and holds no capabilities that we know of: enforced.
/// Our own uid: only if sealed and apart in every way. Anything else: cooperative.
[[nodiscard]] BoundaryVerdict judge_boundary(const PeerFacts& facts, shm::Backing backing);

/// Looks the peer up below `proc` (another directory in tests). Never throws for what is missing
/// there: that is `unknown`.
[[nodiscard]] PeerFacts gather_peer_facts(pid_t pid, uid_t user, std::string_view proc = "/proc");

/// Both. `pid` and `user` come from SO_PEERCRED.
[[nodiscard]] BoundaryVerdict decide_boundary(pid_t pid, uid_t user, shm::Backing backing);

}  // namespace fairlead::broker
