// What the daemon's exit code says; the man page lists the same.
#pragma once

#include <fairlead/shm/error.hpp>

namespace fairlead::broker::daemon {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // anything else
inline constexpr int kExitUsage = 2;    // wrong options
inline constexpr int kExitPolicy = 3;   // the policy file cannot be used
inline constexpr int kExitNameTaken =
    4;  // a broker of that name runs, or its segment name is taken
inline constexpr int kExitSocketTaken = 5;  // somebody listens there, or a file is there
inline constexpr int kExitNoMemory = 6;     // /dev/shm or memory is full

[[nodiscard]] constexpr int exit_code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return kExitUsage;
    case ErrorCode::policy_invalid:
    case ErrorCode::not_found:  // the policy file: nothing else has to be there
      return kExitPolicy;
    case ErrorCode::name_taken:
    case ErrorCode::foreign_segment:
      return kExitNameTaken;
    case ErrorCode::socket_taken:
      return kExitSocketTaken;
    case ErrorCode::out_of_memory:
      return kExitNoMemory;
    default:
      return kExitFailure;
  }
}

}  // namespace fairlead::broker::daemon
