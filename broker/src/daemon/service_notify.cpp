#include "daemon/service_notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::broker::daemon {

void notify_service_manager(std::string_view state) noexcept {
  // Only this thread calls it, and nobody sets variables.
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = path == nullptr ? 0 : std::strlen(path);
  if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const shm::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return;
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), bytes);
}

void notify_reloading() noexcept {
  try {
    const std::string now = std::to_string(shm::monotonic_ns() / 1'000);
    notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" + now);
  } catch (const std::exception&) {
    // No memory for a courtesy.
  }
}

}  // namespace fairlead::broker::daemon
