#include <fairlead/shm/route_remains.hpp>

#include <algorithm>

#include <fairlead/shm/untrusted.hpp>
#include <fairlead/shm/word_copy.hpp>

namespace fairlead::shm {
namespace {

// The whole count, of which a LanePosition keeps the low half; nothing if it is not below `tail`.
std::optional<std::uint64_t> count_below(std::uint64_t tail, std::uint64_t position) noexcept {
  const auto distance =
      static_cast<std::uint32_t>(tail) - static_cast<std::uint32_t>(position >> 32);
  if (position == 0 || distance == 0 || distance > tail || distance > (1U << 31))
    return std::nullopt;
  return tail - distance;
}

}  // namespace

RouteRemains::RouteRemains(std::span<const std::byte> readable,
                           std::uint32_t lane_capacity) noexcept
    : base_(readable.data()), capacity_(lane_capacity) {
  if (readable.size() < kRouteArenaOffset || lane_capacity > kMaximumLanesPerRoute) return;
  route_ = reinterpret_cast<const RouteHeader*>(base_);
  limit_ = std::min<std::uint64_t>(readable.size(),
                                   route_->committed_bytes.load(std::memory_order_relaxed));
}

const LanePage* RouteRemains::page(std::uint32_t number) const noexcept {
  const std::uint64_t offset =
      std::uint64_t{route_->lane_pages[number].load(std::memory_order_acquire)} *
      kMinimumChunkBytes;
  if (offset < kRouteArenaOffset || !fits(offset, sizeof(LanePage), limit_)) return nullptr;
  return reinterpret_cast<const LanePage*>(base_ + offset);
}

std::optional<FoundRecord> RouteRemains::find(std::uint64_t offset, std::uint32_t lane,
                                              std::uint64_t count) const noexcept {
  return find_record(base_, limit_, offset, lane, count);
}

template <class Visit>
void RouteRemains::for_each_lane(Visit&& visit) const {
  if (route_ == nullptr) return;
  for (std::uint32_t number = 0; number < capacity_ / kLanesPerPage; ++number) {
    const LanePage* lanes = page(number);
    if (lanes == nullptr) continue;
    for (std::uint32_t index = 0; index < kLanesPerPage; ++index) {
      const LaneHead& head = lanes->heads[index];
      if (head.generation.load(std::memory_order_acquire) == 0) continue;
      visit(number * kLanesPerPage + index, head, lanes->statistics[index]);
    }
  }
}

// ---- what was pushed ---------------------------------------------------------------------------

void RouteRemains::add_pushes(std::vector<PushMark>& pushes) const {
  if (route_ == nullptr) return;
  const std::uint64_t carried = route_->carried_pushes.load(std::memory_order_acquire);
  const std::uint64_t count = route_->carried_push_count.load(std::memory_order_relaxed);
  if (carried % alignof(PushMark) == 0 && carried >= kRouteArenaOffset &&
      fits(carried, count * sizeof(PushMark), limit_)) {
    for (std::uint64_t each = 0; each < count; ++each)
      pushes.push_back(load_words<PushMark>(base_ + carried + each * sizeof(PushMark)));
  }
  for_each_lane([&](std::uint32_t lane, const LaneHead& head, const LaneStatistics&) {
    const std::uint64_t tail = head.tail.load(std::memory_order_acquire);  // sync: lane-tail
    const std::uint64_t newest =
        head.newest_push.load(std::memory_order_acquire);  // sync: newest-push
    const auto at = count_below(tail, newest);
    if (!at) return;  // none, or its broker died before the tail: it was not pushed
    const auto found = find(LanePosition::offset_of(newest), lane, *at);
    if (found && found->record.publisher != 0)
      pushes.push_back({found->record.publisher, found->record.publish_number});
  });
}

// ---- what is queued ----------------------------------------------------------------------------

void RouteRemains::add_messages(std::uint32_t lane, const LaneHead& head,
                                const LaneStatistics& statistics,
                                std::vector<RemainingMessage>& out) const {
  const std::uint64_t tail = head.tail.load(std::memory_order_acquire);  // sync: lane-tail
  const std::uint64_t base = head.base_count.load(std::memory_order_relaxed);
  const std::uint64_t first = statistics.validated_head.load(std::memory_order_relaxed);
  if (first < base || first >= tail || tail - first > kMaximumLaneMessages) return;
  const std::uint64_t floor =
      head.floors[first % 2].load(std::memory_order_acquire);  // sync: lane-floor
  if (!LanePosition::is_for(floor, first)) return;
  std::uint64_t offset = LanePosition::offset_of(floor);
  for (std::uint64_t count = first; count != tail; ++count) {
    const auto found = find(offset, lane, count);
    if (!found) return;
    const std::byte* where = base_ + found->offset;
    const std::byte* chunk = where - found->record.chunk_distance;
    const auto owner = load_words<ChunkHeader>(chunk);
    const auto* text = reinterpret_cast<const char*>(where + sizeof(RecordHeader));
    RemainingMessage message{
        .record = found->record,
        .principal = {reinterpret_cast<const char*>(chunk + sizeof owner), owner.principal_bytes},
        .topic = {text + found->record.payload_bytes, found->record.topic_bytes},
        .payload = {where + sizeof(RecordHeader), found->record.payload_bytes}};
    if (count == first) {
      message.lost_messages = first - base;
      message.lost_bytes =
          found->record.lane_bytes - head.base_bytes.load(std::memory_order_relaxed);
    }
    out.push_back(message);
    offset = found->offset + found->record.record_bytes;
  }
}

std::vector<RemainingMessage> RouteRemains::messages() const {
  std::vector<RemainingMessage> out;
  for_each_lane([&](std::uint32_t lane, const LaneHead& head, const LaneStatistics& statistics) {
    if (head.in_use.load(std::memory_order_relaxed) != 0) add_messages(lane, head, statistics, out);
  });
  std::stable_sort(out.begin(), out.end(), [](const auto& one, const auto& other) {
    return one.record.sequence < other.record.sequence;
  });
  return out;
}

// ---- what was lost -----------------------------------------------------------------------------

bool RouteRemains::counted_as_ended(std::uint32_t lane, std::uint32_t generation) const noexcept {
  return route_ != nullptr &&
         route_->loss.ending_lane.load(std::memory_order_relaxed) ==
             ActivationEntry::pack(lane, generation) &&
         route_->loss.ending_total.load(std::memory_order_relaxed) ==
             route_->loss.messages.load(std::memory_order_relaxed);
}

// A lane's newest chunk stays as long as the lane, and ends with its newest record.
std::optional<std::uint64_t> RouteRemains::cost_up_to_tail(std::uint32_t lane) const noexcept {
  const LanePage* lanes = route_ == nullptr ? nullptr : page(lane / kLanesPerPage);
  if (lanes == nullptr) return std::nullopt;
  const std::uint64_t tail =
      lanes->heads[lane % kLanesPerPage].tail.load(std::memory_order_acquire);
  const std::uint64_t chunk =
      lanes->statistics[lane % kLanesPerPage].chunk.load(std::memory_order_relaxed);
  if (chunk % kRecordAlignment != 0 || !fits(chunk, sizeof(ChunkHeader), limit_))
    return std::nullopt;
  std::uint64_t offset = chunk + load_words<ChunkHeader>(base_ + chunk).first_record;
  for (std::uint64_t looked_at = 0; looked_at <= kMaximumLaneMessages; ++looked_at) {
    if (offset % kRecordAlignment != 0 || !fits(offset, sizeof(RecordHeader), limit_)) break;
    const auto record = load_words<RecordHeader>(base_ + offset);
    if (record.kind != RecordKind::message || record.lane != lane || record.count >= tail ||
        record.record_bytes < sizeof record)
      break;
    if (record.count + 1 == tail)
      return record.lane_bytes + record.payload_bytes + record.topic_bytes;
    offset += record.record_bytes;
  }
  return std::nullopt;
}

RouteReader::EndedLoss RouteRemains::ended_loss() const {
  RouteReader::EndedLoss sum;
  if (route_ == nullptr) return sum;
  const AggregateLoss& told = route_->loss;
  sum = {told.messages.load(std::memory_order_relaxed), told.bytes.load(std::memory_order_relaxed),
         told.last_sequence.load(std::memory_order_relaxed),
         told.reason.load(std::memory_order_relaxed)};
  for_each_lane([&](std::uint32_t lane, const LaneHead& head, const LaneStatistics& statistics) {
    const std::uint64_t tail = head.tail.load(std::memory_order_acquire);
    const std::uint64_t base = head.base_count.load(std::memory_order_relaxed);
    const std::uint32_t generation = head.generation.load(std::memory_order_relaxed);
    if (head.in_use.load(std::memory_order_relaxed) == 0 || base >= tail ||
        statistics.validated_head.load(std::memory_order_relaxed) != tail ||
        counted_as_ended(lane, generation))
      return;
    sum.messages += tail - base;
    sum.bytes += cost_up_to_tail(lane).value_or(0) -
                 std::min(head.base_bytes.load(std::memory_order_relaxed),
                          cost_up_to_tail(lane).value_or(0));
    if (sum.reason == LossReason::none) sum.reason = LossReason::budget;
  });
  return sum;
}

}  // namespace fairlead::shm
