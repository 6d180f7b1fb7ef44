// Moves what no guest has seen from the segment of one epoch into that of the next (R34).
#pragma once

#include <cstdint>

#include <fairlead/shm/route_remains.hpp>

#include "delivery/route.hpp"

namespace fairlead::broker {

struct CopiedForward {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t duplicates = 0;  // that the guest has already
  std::uint64_t lost = 0;        // found no room; told as any other loss (R29)
};

/// In order of sequence, with the stamps that the messages have and the losses before them, but for
/// those that the guest has already. `to` is fresh: nobody drains it yet. Throws std::bad_alloc.
CopiedForward copy_forward(const shm::RouteRemains& from, const KnownPushes& already, Route& to);

}  // namespace fairlead::broker
