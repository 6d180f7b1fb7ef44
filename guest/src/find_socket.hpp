// Where the broker is: a descriptor, a path, or what was inherited.
#pragma once

#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::guest {

/// Connected. Throws Error as Guest::attach() says.
[[nodiscard]] shm::UniqueFd find_socket(AttachOptions& options);

}  // namespace fairlead::guest
