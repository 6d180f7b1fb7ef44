// The lanes of a route segment: pages of 64, found through a table in the route's header.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>

#include "dump/model.hpp"
#include "dump/route_reader.hpp"
#include "dump/segment_bytes.hpp"

namespace fairlead::tools::dump {

// Private copies of all pages in use. At most kMaximumLanePages of 8 KiB each.
class LanePages {
 public:
  /// The capacity was checked.
  explicit LanePages(std::uint32_t lane_capacity) : most_(lane_capacity / shm::kLanesPerPage) {}

  /// Finds the pages that `header` names; idle ones are freed, so there may be gaps. None is read.
  void locate(const shm::RouteHeader& header);
  [[nodiscard]] std::size_t size() const noexcept { return pages_.size(); }
  /// One of those found, from where it is by now. False when the file is too short; the page then
  /// counts as not readable.
  [[nodiscard]] bool read(const SegmentBytes& bytes, std::size_t found);
  /// locate(), and read() of each.
  [[nodiscard]] bool read_all(const SegmentBytes& bytes, const shm::RouteHeader& header);

  /// Turns what was read into `route.lanes`. Lanes that make no sense are recorded in `segment`.
  void collect(const SegmentBytes& bytes, const ReadContext& context, Consistency consistency,
               RouteDump& route, SegmentDump& segment) const;

 private:
  struct Page {
    std::size_t number = 0;    // of its lanes, by 64
    std::uint64_t offset = 0;  // 0: freed meanwhile
    bool readable = false;
    std::unique_ptr<Image<shm::LanePage>> image;
  };

  std::size_t most_;
  std::vector<Page> pages_;
};

/// Whether what was recorded so far explains that not all of it could be read.
[[nodiscard]] inline bool segment_is_cut(const SegmentDump& segment) noexcept {
  return segment.verdict == Verdict::truncated;
}

}  // namespace fairlead::tools::dump
