// Tells a forked child from the process that made an object, without a system call.
#pragma once

#include <fairlead/shm/process_identity.hpp>

namespace fairlead::guest {

/// Remembers the process that it was made in. Not seen: a bare clone() system call.
class HomeProcess {
 public:
  [[nodiscard]] bool is_here() const noexcept { return process_ == shm::this_process(); }

 private:
  shm::ProcessIdentity process_ = shm::this_process();
};

}  // namespace fairlead::guest
