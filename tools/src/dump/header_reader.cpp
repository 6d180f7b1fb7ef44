#include "dump/header_reader.hpp"

#include <atomic>

#include <fairlead/shm/layout/layout_hash.hpp>

namespace fairlead::tools::dump {
namespace {

using shm::SegmentHeader;

std::string number(std::uint64_t value) { return std::to_string(value); }

bool refuse(SegmentDump& segment, Verdict verdict, std::string sentence) {
  blame(segment, verdict, std::move(sentence));
  return false;
}

bool check_magic(const SegmentHeader& header, SegmentDump& segment) {
  const std::uint32_t version = header.version.load(std::memory_order_relaxed);
  if (version == 0 && (header.magic == 0 || header.magic == shm::kSegmentMagic)) {
    return refuse(segment, Verdict::not_ready,
                  "its maker has not finished it, died over it, or it was zeroed");
  }
  if (header.magic != shm::kSegmentMagic) {
    return refuse(segment, Verdict::foreign, "this is not a fairlead segment");
  }
  if (version != shm::kLayoutVersion) {
    return refuse(segment, Verdict::foreign,
                  "it has format version " + number(version) + ", this program reads version " +
                      number(shm::kLayoutVersion));
  }
  return true;
}

// The name is what the broker goes by, so a header that says something else was copied there.
bool check_name(const SegmentHeader& header, const shm::SegmentName& name, SegmentDump& segment) {
  if (header.kind != name.kind) {
    return refuse(segment, Verdict::foreign,
                  "its header says " + std::string(to_string(header.kind)) + ", its name " +
                      std::string(to_string(name.kind)));
  }
  if (header.broker.view() != name.broker) {
    return refuse(segment, Verdict::foreign, "its header names another broker than its name");
  }
  if (name.kind != shm::SegmentKind::table && header.epoch != name.epoch) {
    return refuse(
        segment, Verdict::foreign,
        "its header says epoch " + number(header.epoch) + ", its name " + number(name.epoch));
  }
  if (header.owner_user != segment.owner_user) {
    return refuse(segment, Verdict::foreign,
                  "its header says uid " + number(header.owner_user) +
                      ", the file belongs to uid " + number(segment.owner_user));
  }
  return true;
}

bool is_known(shm::SegmentKind kind) noexcept {
  return kind >= shm::SegmentKind::table && kind <= shm::SegmentKind::pool;
}

}  // namespace

void blame(SegmentDump& segment, Verdict verdict, std::string sentence) {
  if (segment.verdict == Verdict::ok) segment.verdict = verdict;
  segment.problems.push_back(std::move(sentence));
}

bool read_header(const SegmentBytes& bytes, const shm::SegmentName* name, SegmentDump& segment) {
  const auto too_short = [&] {
    if (bytes.size() == 0) {
      return refuse(segment, Verdict::not_ready,
                    "it is empty: its maker has not finished it, died over it, or it was cut");
    }
    return refuse(segment, Verdict::truncated,
                  "it has " + number(bytes.size()) + " bytes, too few for a segment header");
  };
  Image<SegmentHeader> header;
  if (!header.read(bytes, 0)) return too_short();
  if (!check_magic(*header, segment)) return false;
  // The version is published last: only what is read after having seen it is complete.
  std::atomic_thread_fence(std::memory_order_acquire);  // sync: segment-ready
  if (!header.read(bytes, 0)) return too_short();
  if (header->layout_hash != shm::kLayoutHash) {
    return refuse(segment, Verdict::foreign,
                  "it was made by a build with another struct layout; use the dump of that build");
  }
  if (!is_known(header->kind)) {
    return refuse(segment, Verdict::corrupt,
                  "its header says kind " + number(static_cast<std::uint32_t>(header->kind)));
  }
  if (name != nullptr && !check_name(*header, *name, segment)) return false;
  segment.kind = header->kind;
  segment.epoch = header->epoch;
  segment.maximum_bytes = header->maximum_bytes;
  segment.created_realtime_ns = header->created_realtime_nanoseconds;
  segment.broker_process = header->broker_process;
  segment.broker_start_clock_ticks = header->broker_start_clock_ticks;
  segment.broker = header->broker.view();
  return true;
}

}  // namespace fairlead::tools::dump
