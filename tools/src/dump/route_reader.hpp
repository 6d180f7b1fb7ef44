// Reads a route segment: its totals and lanes as one moment where that can be had.
#pragma once

#include <cstdint>

#include "dump/model.hpp"
#include "dump/segment_bytes.hpp"
#include "dump/snapshot.hpp"

namespace fairlead::tools::dump {

struct ReadContext {
  std::uint64_t monotonic_now_ns = 0;
  Patience patience;
};

/// Fills `segment.content` with what can be read and records every problem. The header was read.
void read_route(const SegmentBytes& bytes, const ReadContext& context, SegmentDump& segment);

}  // namespace fairlead::tools::dump
