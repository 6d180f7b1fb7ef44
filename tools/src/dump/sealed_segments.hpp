// Sealed segments (memfds) have no name: the live broker is asked for descriptors of them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include <fairlead/shm/layout/segment_header.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::tools::dump {

struct SealedDescriptor {
  shm::SegmentKind kind = shm::SegmentKind::none;
  std::uint64_t id = 0;
  shm::UniqueFd descriptor;
};

/// Calls `take` for each; its descriptor is checked to be a sealed memfd, so that reading it cannot
/// block or have an effect. Returns why there are none or not all, in one sentence; empty: all.
/// Gives up on a broker that does not answer in two seconds. Only a listener of uid `owner` is
/// asked.
[[nodiscard]] std::string list_sealed_segments(const std::string& socket_path, uid_t owner,
                                               const std::function<void(SealedDescriptor)>& take);

}  // namespace fairlead::tools::dump
