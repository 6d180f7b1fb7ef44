// Tells a forked child from the process that made an object, without a system call.
#pragma once

#include <cstdint>

namespace fairlead::guest {

/// Generation of this process: changes in the child of fork(). Not seen: a bare clone() system
/// call.
[[nodiscard]] std::uint32_t process_generation() noexcept;

/// Remembers the process that it was made in.
class HomeProcess {
 public:
  [[nodiscard]] bool is_here() const noexcept { return generation_ == process_generation(); }

 private:
  std::uint32_t generation_ = process_generation();
};

}  // namespace fairlead::guest
