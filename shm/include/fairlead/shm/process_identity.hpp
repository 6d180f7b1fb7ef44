// Which process this is, for words in memory that several processes share.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace fairlead::shm {

/// The process number in the low half and a stamp in the high half: whoever gets the same number
/// later is somebody else, also after exec(). 0 is nobody. Means something within one PID
/// namespace.
using ProcessIdentity = std::uint64_t;

[[nodiscard]] constexpr ProcessIdentity make_process_identity(pid_t process,
                                                              std::uint32_t stamp) noexcept {
  return std::uint64_t{stamp} << 32 | static_cast<std::uint32_t>(process);
}

/// Ours, the same in all threads. A forked child has one of its own (pthread_atfork sees to that;
/// a child of a bare clone() system call is taken for its parent). Data path; no system call but in
/// the first call of each process.
[[nodiscard]] ProcessIdentity this_process() noexcept;

/// Whether nobody can be that process any more. A zombie counts as alive, and so does a stranger
/// who got its number, but not if that stranger is this process. Asks the kernel, unless it is us.
/// What no process ever was (a number below 1) is dead.
[[nodiscard]] bool is_dead(ProcessIdentity identity) noexcept;

}  // namespace fairlead::shm
