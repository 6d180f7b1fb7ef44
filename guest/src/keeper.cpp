#include <fairlead/guest/keeper.hpp>

#include <fcntl.h>

#include <utility>

#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/control_socket.hpp>

#include "checked_principal.hpp"
#include "connection.hpp"

namespace fairlead::guest {

shm::UniqueFd connect_as(const std::string& socket_path, std::string_view principal,
                         std::chrono::nanoseconds timeout) {
  shm::control::Mint mint{};
  mint.principal.assign(checked_principal(principal));
  Connection connection(shm::connect_control(socket_path, timeout), timeout);
  (void)connection.ask<shm::control::Plain>(Kind::mint, mint, Kind::done);
  return std::move(connection).release();
}

std::string let_children_inherit(const shm::UniqueFd& descriptor) {
  const int flags = ::fcntl(descriptor.get(), F_GETFD);
  if (flags < 0 || ::fcntl(descriptor.get(), F_SETFD, flags & ~FD_CLOEXEC) != 0) {
    throw_system("cannot let children inherit the connection");
  }
  return std::string(kInheritedDescriptorVariable) + "=" + std::to_string(descriptor.get());
}

}  // namespace fairlead::guest
