// A route as one worker process hands it to another of the same guest (R28).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::guest {

/// All that a worker process needs: descriptors and sizes. Made by Subscription::share(), used by
/// Subscription::from_descriptors(). The worker must run in the same PID namespace: the drain mutex
/// and the clean-up after dead workers go by process and thread numbers.
///
/// It is good for one life of the broker: afterwards the worker is `disconnected` once it has taken
/// what was left, and the process that subscribed shares the route anew.
struct SharedRoute {
  shm::UniqueFd route;       // read-only
  shm::UniqueFd cursors;     // read-write
  shm::UniqueFd wake_up;     // the pollable socket; not valid if the subscription asked for none
  shm::UniqueFd connection;  // only to see whether the broker is there; nothing is said on it
  std::uint64_t route_segment_bytes = 0;
  std::uint64_t cursor_segment_bytes = 0;
  std::uint64_t subscription = 0;
  std::uint32_t lane_capacity = 0;
  std::uint32_t hold_slots = 0;  // messages that all workers together may keep (R22)
  bool sealed = false;

  /// Clears close-on-exec of all descriptors and returns them and the sizes as one word, for an
  /// argument or environment variable of a child. The numbers stay those of the parent. Throws
  /// Error.
  [[nodiscard]] std::string let_children_inherit() const;
  /// In the child: takes over the descriptors that the word names. Throws Error(invalid_argument).
  [[nodiscard]] static SharedRoute from_text(std::string_view text);
};

}  // namespace fairlead::guest
