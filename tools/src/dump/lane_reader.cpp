#include "dump/lane_reader.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <fairlead/shm/layout/record_layout.hpp>
#include <fairlead/shm/principal.hpp>

#include "dump/header_reader.hpp"

namespace fairlead::tools::dump {
namespace {

using shm::LaneHead;
using shm::LaneStatistics;

// One bad lane says as much as a thousand.
constexpr std::size_t kMostLaneSentences = 8;

std::uint64_t offset_of(std::uint32_t table_entry) noexcept {
  return std::uint64_t{table_entry} * shm::kMinimumChunkBytes;
}

std::string lane_text(std::uint32_t slot) { return "lane " + std::to_string(slot); }

// Nothing when the chunk belongs to another life of the slot, or makes no sense.
std::optional<std::string> read_principal(const SegmentBytes& bytes, std::uint64_t chunk,
                                          const LaneDump& lane) {
  Image<shm::ChunkHeader> header;
  if (chunk < shm::kRouteArenaOffset || !header.read(bytes, chunk)) return std::nullopt;
  if (header->lane != lane.slot || header->generation != lane.generation ||
      header->principal_bytes > shm::kMaximumPrincipalBytes) {
    return std::nullopt;
  }
  std::string name(header->principal_bytes, '\0');
  if (!bytes.read(chunk + sizeof(shm::ChunkHeader), name.data(), name.size())) return std::nullopt;
  if (shm::check_principal(name) != shm::PrincipalProblem::none) return std::nullopt;
  return name;
}

std::optional<std::uint64_t> age_of(std::uint64_t published_ns, std::uint64_t now_ns) noexcept {
  if (published_ns == 0 || published_ns > now_ns) return std::nullopt;
  return now_ns - published_ns;
}

// What cannot be, with an honest writer; empty when all is well.
std::string lane_problem(const LaneHead& head, const LaneStatistics& statistics) {
  const std::uint64_t tail = word(head.tail);
  const std::uint64_t base = word(head.base_count);
  const std::uint64_t validated = word(statistics.validated_head);
  if (word(head.generation) == 0) return "is in use without a generation";
  if (base > tail || validated < base || validated > tail) {
    return "has its head at " + std::to_string(validated) + ", outside of " + std::to_string(base) +
           " to " + std::to_string(tail);
  }
  if (word(statistics.evicted) > validated - base) return "evicted more than it ever held";
  if (tail - validated > shm::kMaximumLaneMessages) {
    return "holds " + std::to_string(tail - validated) + " messages, more than a lane may";
  }
  return {};
}

LaneDump describe(const LaneHead& head, const LaneStatistics& statistics, std::uint32_t slot,
                  std::uint64_t now_ns) {
  LaneDump lane;
  lane.slot = slot;
  lane.generation = word(head.generation);
  const std::uint64_t tail = word(head.tail);
  const std::uint64_t validated = word(statistics.validated_head);
  const std::uint64_t base = word(head.base_count);
  lane.published = tail - base;
  lane.depth = tail - validated;
  lane.evicted = word(statistics.evicted);
  lane.delivered = validated - base - lane.evicted;
  lane.queued_bytes = word(statistics.queued_bytes);
  lane.refused = word(statistics.refused);
  lane.queued_high_water = word(statistics.queued_high_water);
  lane.queued_bytes_high_water = word(statistics.queued_bytes_high_water);
  lane.uncovered_visits = word(statistics.uncovered_visits);
  if (lane.depth > 0) {
    lane.head_age_ns = age_of(word(statistics.oldest_published_nanoseconds), now_ns);
  }
  return lane;
}

// Blames the segment for a few lanes by name and for the rest by number.
class LaneProblems {
 public:
  explicit LaneProblems(SegmentDump& segment) noexcept : segment_(segment) {}
  void add(const std::string& sentence) {
    if (++count_ <= kMostLaneSentences) blame(segment_, Verdict::corrupt, sentence);
  }
  void finish() {
    if (count_ <= kMostLaneSentences) return;
    blame(segment_, Verdict::corrupt,
          "and " + std::to_string(count_ - kMostLaneSentences) + " more lanes like that");
  }

 private:
  SegmentDump& segment_;
  std::size_t count_ = 0;
};

}  // namespace

void LanePages::locate(const shm::RouteHeader& header) {
  pages_.clear();
  for (std::size_t number = 0; number < most_; ++number) {
    const std::uint64_t offset = offset_of(word(header.lane_pages[number]));
    if (offset != 0) pages_.push_back({number, offset, false, nullptr});
  }
}

bool LanePages::read(const SegmentBytes& bytes, std::size_t found) {
  Page& page = pages_[found];
  page.readable = false;
  std::uint32_t entry = 0;
  const std::uint64_t at = offsetof(shm::RouteHeader, lane_pages) + page.number * sizeof entry;
  if (!bytes.read(at, &entry, sizeof entry)) return false;
  page.offset = offset_of(entry);
  if (page.offset < shm::kRouteArenaOffset) return true;  // freed; or collect() complains
  if (!page.image) page.image = std::make_unique<Image<shm::LanePage>>();
  page.readable = page.image->read(bytes, page.offset);
  return page.readable;
}

bool LanePages::read_all(const SegmentBytes& bytes, const shm::RouteHeader& header) {
  locate(header);
  bool all = true;
  for (std::size_t found = 0; found < pages_.size(); ++found) all = read(bytes, found) && all;
  return all;
}

void LanePages::collect(const SegmentBytes& bytes, const ReadContext& context,
                        Consistency consistency, RouteDump& route, SegmentDump& segment) const {
  LaneProblems problems(segment);
  for (const Page& page : pages_) {
    if (page.offset == 0) continue;
    if (!page.readable) {
      problems.add("the page of lanes from " + std::to_string(page.number * shm::kLanesPerPage) +
                   " on lies at " + std::to_string(page.offset) + ", outside of the file");
      continue;
    }
    const shm::LanePage& lanes = **page.image;
    for (std::uint32_t index = 0; index < shm::kLanesPerPage; ++index) {
      const LaneHead& head = lanes.heads[index];
      const LaneStatistics& statistics = lanes.statistics[index];
      if (word(head.in_use) == 0) continue;
      const auto slot = static_cast<std::uint32_t>(page.number * shm::kLanesPerPage + index);
      const std::string problem = lane_problem(head, statistics);
      if (!problem.empty()) {
        if (consistency != Consistency::mixed) problems.add(lane_text(slot) + ' ' + problem);
        continue;
      }
      LaneDump lane = describe(head, statistics, slot, context.monotonic_now_ns);
      const std::uint64_t chunk = word(statistics.chunk);
      lane.principal = read_principal(bytes, chunk, lane);
      if (!lane.principal && chunk != 0 && !context.patience.writer_lives &&
          consistency != Consistency::mixed) {
        problems.add(lane_text(slot) + " does not say whose it is");
      }
      route.lanes.push_back(std::move(lane));
    }
  }
  problems.finish();
}

}  // namespace fairlead::tools::dump
