// Whether the broker that made a route table still has it open, for whoever only wants to know.
//
// A broker has its name by flock() on the table, which nobody can ask about without trying to take
// it. Beside it, it holds an open-file-description lock: that can be asked about by F_OFD_GETLK,
// changes nothing, and is the same from within every PID namespace. Both end with the process.
#pragma once

#include <fcntl.h>

#include <cstdint>

namespace fairlead::shm {

enum class LifeLock : std::uint8_t { held, free, unknown };

namespace detail {

inline struct flock whole_file() noexcept {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace detail

/// For the holder of the name. Where the kernel refuses, others know as much as before.
inline void hold_life_lock(int table) noexcept {
  struct flock lock = detail::whole_file();
  (void)::fcntl(table, F_OFD_SETLK, &lock);
}

/// A descriptor that may only read is enough.
[[nodiscard]] inline LifeLock look_at_life_lock(int table) noexcept {
  struct flock lock = detail::whole_file();
  if (::fcntl(table, F_OFD_GETLK, &lock) != 0) return LifeLock::unknown;
  return lock.l_type == F_UNLCK ? LifeLock::free : LifeLock::held;
}

}  // namespace fairlead::shm
