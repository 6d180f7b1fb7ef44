#include "attach/boundary.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include <fairlead/shm/segment_name.hpp>

#include "attach/known_user.hpp"

namespace fairlead::broker {
namespace {

using shm::Boundary;

Separation compare_namespace(const std::string& proc, const std::string& pid, const char* kind) {
  struct stat ours {};
  struct stat theirs {};
  const std::string name = std::string("/ns/") + kind;
  if (::stat((proc + "/self" + name).c_str(), &ours) != 0 ||
      ::stat((proc + "/" + pid + name).c_str(), &theirs) != 0) {
    return Separation::unknown;
  }
  const bool same = ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
  return same ? Separation::shared : Separation::apart;
}

/// "major:minor" as mountinfo writes it; empty when the directory is not there.
std::string device_of(const std::string& directory) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) return {};
  return std::to_string(major(found.st_dev)) + ":" + std::to_string(minor(found.st_dev));
}

/// Undoes mountinfo's \040 for a space and the like.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 4], value, 8).ptr == &text[i + 4]) {
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Whether the peer can reach a file system, under whatever path: a sandbox with a fresh /dev/shm
/// may still have been given the real one as /host/dev/shm. A mount that another one covers is out
/// of reach for who cannot unmount: so are those of a bound `/` below a new /dev.
Separation find_mount(const std::string& peer, const std::string& device,
                      Capabilities capabilities) {
  if (device.empty()) return Separation::unknown;
  std::ifstream mountinfo(peer + "/mountinfo");
  std::string line;
  bool any = false;
  while (std::getline(mountinfo, line)) {
    any = true;
    std::istringstream fields(line);
    std::string id;
    std::string parent;
    std::string mounted_device;
    std::string root;
    std::string place;
    if (!(fields >> id >> parent >> mounted_device >> root >> place)) return Separation::unknown;
    if (mounted_device != device) continue;
    const bool covered = device_of(peer + "/root" + unescape(place)) != device;
    if (!covered || capabilities != Capabilities::none) return Separation::shared;
  }
  // An empty list is that of a process that has just died.
  return any ? Separation::apart : Separation::unknown;
}

/// From CapPrm: what it can use now. What a setuid program could give it is another matter; for
/// those in reach of one, uid 0 and the shared file systems decide.
Capabilities find_capabilities(const std::string& peer, Separation user_namespace) {
  constexpr std::string_view kKey = "CapPrm:\t";
  std::ifstream status(peer + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (!line.starts_with(kKey)) continue;
    if (line.find_first_not_of('0', kKey.size()) == std::string::npos) return Capabilities::none;
    return user_namespace == Separation::apart ? Capabilities::in_own_namespace
                                               : Capabilities::outside;
  }
  return Capabilities::unknown;
}

BoundaryVerdict cooperative(std::string sentence) {
  return {Boundary::cooperative, std::move(sentence)};
}

BoundaryVerdict judge_other_user(const PeerFacts& facts) {
  const std::string uids = "the guest's uid " + std::to_string(facts.peer_user) +
                           " is not the broker's uid " + std::to_string(facts.broker_user);
  if (facts.peer_user == 0) return cooperative(uids + ", but it is root");
  if (!facts.user_known)
    return cooperative(uids + ", but it is unknown to the broker's user namespace: it may be root");
  if (facts.capabilities == Capabilities::outside)
    return cooperative(uids + ", but it holds capabilities");
  return {Boundary::enforced, uids};
}

BoundaryVerdict judge_same_user(const PeerFacts& facts, shm::Backing backing) {
  const std::string same = "the guest has the broker's uid " + std::to_string(facts.broker_user);
  if (backing != shm::Backing::sealed) {
    return cooperative(same + " and its segments are not sealed: it can open them by name");
  }
  if (facts.process_namespace == Separation::unknown) {
    return cooperative(same + " and its namespaces cannot be looked at");
  }
  if (facts.process_namespace == Separation::shared) {
    return cooperative(same + " and no PID namespace of its own: it can signal the broker");
  }
  if (facts.mount_namespace != Separation::apart) {
    return cooperative(same + " and no mount namespace of its own");
  }
  const std::string how =
      facts.capabilities == Capabilities::none ? "" : " (it holds capabilities: drop them)";
  if (facts.shared_memory != Separation::apart) {
    return cooperative(same + " and may reach the broker's /dev/shm" + how);
  }
  if (facts.proc != Separation::apart) {
    return cooperative(same + " and may reach the broker's /proc" + how);
  }
  if (facts.capabilities != Capabilities::none &&
      facts.capabilities != Capabilities::in_own_namespace) {
    return cooperative(same + " and may hold capabilities outside its sandbox");
  }
  return {
      Boundary::enforced,
      same + ", its segments are sealed, and it has a private PID namespace, /dev/shm and /proc"};
}

}  // namespace

BoundaryVerdict judge_boundary(const PeerFacts& facts, shm::Backing backing) {
  return facts.peer_user != facts.broker_user ? judge_other_user(facts)
                                              : judge_same_user(facts, backing);
}

PeerFacts gather_peer_facts(pid_t pid, uid_t user, std::string_view proc) {
  PeerFacts facts;
  facts.peer_user = user;
  facts.broker_user = ::geteuid();
  facts.user_known = says_who(IdentityKind::user, user, proc);
  if (pid <= 0) return facts;  // a process of a PID namespace that we cannot see into
  const std::string root(proc);
  const std::string id = std::to_string(pid);
  const std::string peer = root + "/" + id;
  facts.user_namespace = compare_namespace(root, id, "user");
  facts.process_namespace = compare_namespace(root, id, "pid");
  facts.mount_namespace = compare_namespace(root, id, "mnt");
  facts.capabilities = find_capabilities(peer, facts.user_namespace);
  facts.shared_memory =
      find_mount(peer, device_of(std::string(shm::kSharedMemoryDirectory)), facts.capabilities);
  facts.proc = find_mount(peer, device_of("/proc"), facts.capabilities);
  return facts;
}

BoundaryVerdict decide_boundary(pid_t pid, uid_t user, shm::Backing backing) {
  return judge_boundary(gather_peer_facts(pid, user), backing);
}

}  // namespace fairlead::broker
