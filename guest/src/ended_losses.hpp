// Adding up what several looks told.
#pragma once

#include <fairlead/guest/batch.hpp>

namespace fairlead::guest {

inline void add_loss(EndedLoss& sum, const EndedLoss& more) noexcept {
  if (more.messages == 0) return;
  sum.messages += more.messages;
  sum.bytes += more.bytes;
  if (more.last_sequence != 0) sum.last_sequence = more.last_sequence;
  sum.reason = more.reason;
}

}  // namespace fairlead::guest
