#include "attach/peer_process.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace fairlead::broker {
namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, which older headers lack

}  // namespace

shm::UniqueFd open_connector(int socket, pid_t pid) noexcept {
  int process = -1;
  socklen_t bytes = sizeof process;
  if (::getsockopt(socket, SOL_SOCKET, kPeerPidfd, &process, &bytes) == 0)
    return shm::UniqueFd(process);
  if (errno != ENOPROTOOPT || pid <= 0) return {};
  return shm::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool is_alive(const shm::UniqueFd& process) noexcept {
  if (!process) return false;
  pollfd end{process.get(), POLLIN, 0};
  return ::poll(&end, 1, 0) == 0;
}

PeerFacts gather_facts_of(const shm::UniqueFd& process, pid_t pid, uid_t user) {
  PeerFacts facts = gather_peer_facts(pid, user);
  if (!is_alive(process)) facts = gather_peer_facts(0, user);
  return facts;
}

}  // namespace fairlead::broker
