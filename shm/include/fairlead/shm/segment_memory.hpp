// A Segment as the writer of a route sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <fairlead/shm/growable_memory.hpp>
#include <fairlead/shm/segment.hpp>

namespace fairlead::shm {

// Owns the segment. A sealed one has its full size from the start: growing it is always ok.
class SegmentMemory final : public GrowableMemory {
 public:
  explicit SegmentMemory(Segment segment) noexcept : segment_(std::move(segment)) {}

  [[nodiscard]] std::byte* data() noexcept override { return segment_.data(); }
  [[nodiscard]] std::uint64_t maximum_bytes() const noexcept override { return segment_.size(); }
  [[nodiscard]] Growth grow_to(std::uint64_t bytes) noexcept override {
    const bool grown = segment_.grow_to(bytes) == GrowOutcome::ok;
    return grown ? Growth::ok : Growth::no_memory;
  }
  void shrink_to(std::uint64_t bytes) noexcept override { segment_.shrink_to(bytes); }

  [[nodiscard]] Segment& segment() noexcept { return segment_; }

 private:
  Segment segment_;
};

}  // namespace fairlead::shm
