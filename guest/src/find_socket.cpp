#include "find_socket.hpp"

#include <utility>

#include <fairlead/shm/control_socket.hpp>

#include "inherited_descriptor.hpp"

namespace fairlead::guest {

shm::UniqueFd find_socket(AttachOptions& options) {
  if (options.descriptor) {
    require_control_socket(options.descriptor.get(), "AttachOptions::descriptor");
    return std::move(options.descriptor);
  }
  if (!options.socket_path.empty()) {
    return shm::connect_control(options.socket_path, options.timeout);
  }
  return take_inherited_descriptor();
}

}  // namespace fairlead::guest
