// The first 256 bytes of the segments that a broker makes: who made them, and when.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fairlead/shm/layout/segment_header.hpp>

namespace fairlead::broker {

// What all segments of one broker life have in common. Immutable.
class SegmentStamp {
 public:
  /// Looks this process up. `broker` is a valid broker name.
  SegmentStamp(std::string_view broker, std::uint64_t epoch);

  /// All but magic, kind, layout hash and version, which format functions write.
  void fill(shm::SegmentHeader& header, std::uint64_t maximum_bytes) const noexcept;

  [[nodiscard]] const std::string& broker() const noexcept { return broker_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  std::string broker_;
  std::uint64_t epoch_;
  std::uint64_t start_clock_ticks_;
};

/// Makes `header` that of a finished segment of `kind`: the version word last.
void publish_header(shm::SegmentHeader& header, shm::SegmentKind kind,
                    const shm::SegmentHeader& stamp) noexcept;

/// starttime of our /proc/PID/stat, which tells a process from a later one of the same pid; 0 when
/// there is no /proc. By `self`: our number there may be another one than getpid() tells.
[[nodiscard]] std::uint64_t own_start_clock_ticks();

}  // namespace fairlead::broker
