// What to make of an error while coming back to a broker.
#pragma once

#include <fairlead/shm/error.hpp>

namespace fairlead::guest {

/// The broker may say something else a little later.
[[nodiscard]] inline bool is_passing(ErrorCode code) noexcept {
  return code == ErrorCode::limit || code == ErrorCode::out_of_memory ||
         code == ErrorCode::quota_exceeded || code == ErrorCode::rate_limited ||
         code == ErrorCode::not_ready;
}

/// It is about the conversation, not about what was asked.
[[nodiscard]] inline bool is_of_connection(ErrorCode code) noexcept {
  return code == ErrorCode::disconnected || code == ErrorCode::timeout ||
         code == ErrorCode::protocol;
}

}  // namespace fairlead::guest
