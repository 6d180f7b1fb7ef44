#include "attach/segment_stamp.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/layout/layout_hash.hpp>

namespace fairlead::broker {

SegmentStamp::SegmentStamp(std::string_view broker, std::uint64_t epoch)
    : broker_(broker), epoch_(epoch), start_clock_ticks_(own_start_clock_ticks()) {}

void SegmentStamp::fill(shm::SegmentHeader& header, std::uint64_t maximum_bytes) const noexcept {
  header.maximum_bytes = maximum_bytes;
  header.epoch = epoch_;
  header.created_realtime_nanoseconds = shm::realtime_ns();
  header.broker_process = static_cast<std::uint32_t>(::getpid());
  header.owner_user = ::geteuid();
  header.broker_start_clock_ticks = start_clock_ticks_;
  header.broker.assign(broker_);
}

void publish_header(shm::SegmentHeader& header, shm::SegmentKind kind,
                    const shm::SegmentHeader& stamp) noexcept {
  header.magic = shm::kSegmentMagic;
  header.kind = kind;
  header.layout_hash = shm::kLayoutHash;
  header.maximum_bytes = stamp.maximum_bytes;
  header.epoch = stamp.epoch;
  header.created_realtime_nanoseconds = stamp.created_realtime_nanoseconds;
  header.broker_process = stamp.broker_process;
  header.owner_user = stamp.owner_user;
  header.broker_start_clock_ticks = stamp.broker_start_clock_ticks;
  header.broker = stamp.broker;
  header.version.store(shm::kLayoutVersion, std::memory_order_release);  // sync: segment-ready
}

std::uint64_t own_start_clock_ticks() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return 0;
  // The second field is the program's name in parentheses and may hold anything but a newline.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  constexpr int kStartTime = 22;
  for (int number = 3; number < kStartTime; ++number) fields >> field;
  std::uint64_t ticks = 0;
  fields >> ticks;
  return fields ? ticks : 0;
}

}  // namespace fairlead::broker
