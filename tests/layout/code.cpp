#include "code.hpp"

#include <bit>
#include <cstddef>
#include <limits>

#include <fairlead/shm/layout/layout_hash.hpp>

#include "type_name.hpp"

namespace fairlead::test {
namespace {

using namespace fairlead::shm;

// DrainMutex keeps its members to itself. headers_test.cpp holds these names and their order
// against its header.
struct DrainMutexMembers {
  pthread_mutex_t mutex_;
  std::atomic<std::uint32_t> owner_deaths_;
  std::uint32_t repaired_deaths_;
};
static_assert(sizeof(DrainMutexMembers) == sizeof(DrainMutex) &&
              alignof(DrainMutexMembers) == alignof(DrainMutex));

template <class T>
Structure structure(const char* name, std::vector<Field> fields) {
  return {name, sizeof(T), alignof(T), std::move(fields)};
}

#define FIELD(type, member) \
  { #member, offsetof(type, member), sizeof(type::member), type_name < decltype(type::member)>() }

std::vector<Structure> of_every_segment() {
  return {
      structure<SegmentHeader>(
          "SegmentHeader",
          {FIELD(SegmentHeader, magic), FIELD(SegmentHeader, version), FIELD(SegmentHeader, kind),
           FIELD(SegmentHeader, layout_hash), FIELD(SegmentHeader, maximum_bytes),
           FIELD(SegmentHeader, epoch), FIELD(SegmentHeader, created_realtime_nanoseconds),
           FIELD(SegmentHeader, broker_process), FIELD(SegmentHeader, owner_user),
           FIELD(SegmentHeader, broker_start_clock_ticks), FIELD(SegmentHeader, broker),
           FIELD(SegmentHeader, reserved)}),
  };
}

std::vector<Structure> of_the_route() {
  return {
      structure<RouteHeader>(
          "RouteHeader",
          {FIELD(RouteHeader, segment), FIELD(RouteHeader, identity), FIELD(RouteHeader, doorbell),
           FIELD(RouteHeader, state), FIELD(RouteHeader, activations),
           FIELD(RouteHeader, committed_bytes), FIELD(RouteHeader, poison_reason),
           FIELD(RouteHeader, snapshot), FIELD(RouteHeader, carried_pushes),
           FIELD(RouteHeader, carried_push_count), FIELD(RouteHeader, counters),
           FIELD(RouteHeader, loss), FIELD(RouteHeader, lane_pages),
           FIELD(RouteHeader, activation_log)}),
      structure<RouteIdentity>(
          "RouteIdentity", {FIELD(RouteIdentity, capsule), FIELD(RouteIdentity, subscription),
                            FIELD(RouteIdentity, route_id), FIELD(RouteIdentity, eviction),
                            FIELD(RouteIdentity, admission), FIELD(RouteIdentity, boundary),
                            FIELD(RouteIdentity, guest_user), FIELD(RouteIdentity, budget_bytes),
                            FIELD(RouteIdentity, cap_bytes), FIELD(RouteIdentity, lane_capacity),
                            FIELD(RouteIdentity, guest_process), FIELD(RouteIdentity, arena_offset),
                            FIELD(RouteIdentity, pattern), FIELD(RouteIdentity, owner),
                            FIELD(RouteIdentity, admitted_principal)}),
      structure<RouteCounters>("RouteCounters", {FIELD(RouteCounters, published),
                                                 FIELD(RouteCounters, delivered),
                                                 FIELD(RouteCounters, queued),
                                                 FIELD(RouteCounters, evicted),
                                                 FIELD(RouteCounters, refused),
                                                 FIELD(RouteCounters, published_bytes),
                                                 FIELD(RouteCounters, delivered_bytes),
                                                 FIELD(RouteCounters, queued_bytes),
                                                 FIELD(RouteCounters, evicted_bytes),
                                                 FIELD(RouteCounters, held_messages),
                                                 FIELD(RouteCounters, duplicates_dropped),
                                                 FIELD(RouteCounters, queued_high_water),
                                                 FIELD(RouteCounters, queued_bytes_high_water),
                                                 FIELD(RouteCounters, active_lanes),
                                                 FIELD(RouteCounters, active_lanes_high_water),
                                                 FIELD(RouteCounters, arena_used_bytes),
                                                 FIELD(RouteCounters, arena_retired_bytes),
                                                 FIELD(RouteCounters, uncovered_visits),
                                                 FIELD(RouteCounters, wakes),
                                                 FIELD(RouteCounters, refused_by_reason)}),
      structure<AggregateLoss>(
          "AggregateLoss", {FIELD(AggregateLoss, messages), FIELD(AggregateLoss, bytes),
                            FIELD(AggregateLoss, last_sequence), FIELD(AggregateLoss, reason),
                            FIELD(AggregateLoss, ending_lane), FIELD(AggregateLoss, ending_total)}),
      structure<PushMark>("PushMark", {FIELD(PushMark, outbox), FIELD(PushMark, number)}),
  };
}

std::vector<Structure> of_the_lanes() {
  return {
      structure<LanePage>("LanePage", {FIELD(LanePage, heads), FIELD(LanePage, statistics)}),
      structure<LaneHead>("LaneHead", {FIELD(LaneHead, tail), FIELD(LaneHead, floors),
                                       FIELD(LaneHead, generation), FIELD(LaneHead, in_use),
                                       FIELD(LaneHead, base_count), FIELD(LaneHead, base_bytes),
                                       FIELD(LaneHead, activation), FIELD(LaneHead, newest_push)}),
      structure<LaneStatistics>(
          "LaneStatistics",
          {FIELD(LaneStatistics, validated_head), FIELD(LaneStatistics, evicted),
           FIELD(LaneStatistics, queued_bytes), FIELD(LaneStatistics, queued_bytes_high_water),
           FIELD(LaneStatistics, queued_high_water), FIELD(LaneStatistics, uncovered_visits),
           FIELD(LaneStatistics, refused), FIELD(LaneStatistics, oldest_published_nanoseconds),
           FIELD(LaneStatistics, chunk)}),
      structure<ChunkHeader>("ChunkHeader",
                             {FIELD(ChunkHeader, chunk_bytes), FIELD(ChunkHeader, generation),
                              FIELD(ChunkHeader, lane), FIELD(ChunkHeader, principal_bytes),
                              FIELD(ChunkHeader, first_record)}),
      structure<RecordHeader>(
          "RecordHeader",
          {FIELD(RecordHeader, record_bytes), FIELD(RecordHeader, kind),
           FIELD(RecordHeader, topic_bytes), FIELD(RecordHeader, lane),
           FIELD(RecordHeader, payload_bytes), FIELD(RecordHeader, chunk_distance),
           FIELD(RecordHeader, count), FIELD(RecordHeader, lane_bytes),
           FIELD(RecordHeader, sequence), FIELD(RecordHeader, published_nanoseconds),
           FIELD(RecordHeader, publisher), FIELD(RecordHeader, publish_number)}),
      structure<JumpRecord>("JumpRecord", {FIELD(JumpRecord, record_bytes), FIELD(JumpRecord, kind),
                                           FIELD(JumpRecord, reserved), FIELD(JumpRecord, lane),
                                           FIELD(JumpRecord, target)}),
  };
}

std::vector<Structure> of_the_cursors() {
  return {
      structure<CursorHeader>(
          "CursorHeader",
          {FIELD(CursorHeader, segment), FIELD(CursorHeader, mutex), FIELD(CursorHeader, rotation),
           FIELD(CursorHeader, activations_seen), FIELD(CursorHeader, reported_loss_messages),
           FIELD(CursorHeader, reported_loss_bytes), FIELD(CursorHeader, wait_count),
           FIELD(CursorHeader, arm_count), FIELD(CursorHeader, messages_held),

           FIELD(CursorHeader, uncovered_visits), FIELD(CursorHeader, draining),
           FIELD(CursorHeader, mappings), FIELD(CursorHeader, reports),
           FIELD(CursorHeader, batches), FIELD(CursorHeader, tickets), FIELD(CursorHeader, holds),
           FIELD(CursorHeader, ticket_owners), FIELD(CursorHeader, hold_owners),
           FIELD(CursorHeader, report_log)}),
      structure<DrainMutexMembers>(
          "DrainMutex", {FIELD(DrainMutexMembers, mutex_), FIELD(DrainMutexMembers, owner_deaths_),
                         FIELD(DrainMutexMembers, repaired_deaths_)}),
      structure<RotationState>(
          "RotationState",
          {FIELD(RotationState, quantum), FIELD(RotationState, round), FIELD(RotationState, active),
           FIELD(RotationState, front), FIELD(RotationState, back),
           FIELD(RotationState, visit_open), FIELD(RotationState, reserved)}),
      structure<TicketSlot>("TicketSlot", {FIELD(TicketSlot, batch)}),
      structure<LaneCursor>("LaneCursor",
                            {FIELD(LaneCursor, head), FIELD(LaneCursor, positions),
                             FIELD(LaneCursor, expected_bytes), FIELD(LaneCursor, expected_count),
                             FIELD(LaneCursor, generation), FIELD(LaneCursor, rotation)}),
      structure<RotationEntry>(
          "RotationEntry", {FIELD(RotationEntry, deficit), FIELD(RotationEntry, next),
                            FIELD(RotationEntry, previous), FIELD(RotationEntry, next_round),
                            FIELD(RotationEntry, newest_batch),
                            FIELD(RotationEntry, uncovered_visits), FIELD(RotationEntry, joined)}),
  };
}

std::vector<Structure> of_publishing() {
  return {
      structure<OutboxHeader>("OutboxHeader",
                              {FIELD(OutboxHeader, segment), FIELD(OutboxHeader, tail)}),
      structure<OutboxRecord>(
          "OutboxRecord",
          {FIELD(OutboxRecord, record_bytes), FIELD(OutboxRecord, kind),
           FIELD(OutboxRecord, payload_bytes), FIELD(OutboxRecord, topic_bytes),
           FIELD(OutboxRecord, publish_number), FIELD(OutboxRecord, block_until_nanoseconds)}),
      structure<ReceiptHeader>(
          "ReceiptHeader", {FIELD(ReceiptHeader, segment), FIELD(ReceiptHeader, outbox_id),
                            FIELD(ReceiptHeader, ring_bytes), FIELD(ReceiptHeader, accepted_bytes),
                            FIELD(ReceiptHeader, accepted_number), FIELD(ReceiptHeader, doorbell),
                            FIELD(ReceiptHeader, broker_asleep), FIELD(ReceiptHeader, receipts)}),
      structure<Receipt>("Receipt",
                         {FIELD(Receipt, publish_number), FIELD(Receipt, matched),
                          FIELD(Receipt, taken), FIELD(Receipt, evicted), FIELD(Receipt, refused),
                          FIELD(Receipt, first_refusal), FIELD(Receipt, reserved)}),
  };
}

std::vector<Structure> of_the_table() {
  return {
      structure<ContinuityCopy>(
          "ContinuityCopy",
          {FIELD(ContinuityCopy, generation), FIELD(ContinuityCopy, epoch),
           FIELD(ContinuityCopy, next_sequence), FIELD(ContinuityCopy, next_subscription),
           FIELD(ContinuityCopy, reserved), FIELD(ContinuityCopy, checksum)}),
      structure<ContinuityBlock>(
          "ContinuityBlock", {FIELD(ContinuityBlock, magic), FIELD(ContinuityBlock, version),
                              FIELD(ContinuityBlock, block_bytes), FIELD(ContinuityBlock, copies)}),
      structure<TableHeader>(
          "TableHeader", {FIELD(TableHeader, segment), FIELD(TableHeader, continuity),
                          FIELD(TableHeader, snapshot), FIELD(TableHeader, entry_bytes),
                          FIELD(TableHeader, entries), FIELD(TableHeader, next_sequence),
                          FIELD(TableHeader, next_subscription), FIELD(TableHeader, clean_stop),
                          FIELD(TableHeader, gate_guest), FIELD(TableHeader, gate_from),
                          FIELD(TableHeader, socket_path), FIELD(TableHeader, waited_nanoseconds),
                          FIELD(TableHeader, grace_nanoseconds)}),
      structure<TableEntry>(
          "TableEntry",
          {FIELD(TableEntry, snapshot), FIELD(TableEntry, state), FIELD(TableEntry, sealed),
           FIELD(TableEntry, kind), FIELD(TableEntry, epoch), FIELD(TableEntry, claimed_epoch),
           FIELD(TableEntry, guest), FIELD(TableEntry, gate), FIELD(TableEntry, identity),
           FIELD(TableEntry, segment), FIELD(TableEntry, payer), FIELD(TableEntry, resume_token),
           FIELD(TableEntry, missed_nanoseconds)}),
  };
}

#undef FIELD

// The bits that are set in a word which was packed of one part alone, that one all ones.
Bits part(const char* name, std::uint64_t packed) {
  return {static_cast<std::uint64_t>(std::countr_zero(packed)),
          static_cast<std::uint64_t>(63 - std::countl_zero(packed)), name};
}

}  // namespace

const std::vector<Structure>& structures_in_code() {
  static const std::vector<Structure> all = [] {
    std::vector<Structure> made;
    for (const auto& some : {of_every_segment(), of_the_route(), of_the_lanes(), of_the_cursors(),
                             of_publishing(), of_the_table()})
      made.insert(made.end(), some.begin(), some.end());
    return made;
  }();
  return all;
}

const std::vector<Constant>& constants_in_code() {
#define CONSTANT(name)            \
  {                               \
#name, std::uint64_t { name } \
  }
  static const std::vector<Constant> all = {
      CONSTANT(kSegmentMagic),         CONSTANT(kLayoutVersion),
      CONSTANT(kRouteArenaOffset),     CONSTANT(kSuperblockBytes),
      CONSTANT(kMinimumChunkBytes),    CONSTANT(kRecordAlignment),
      CONSTANT(kLanesPerPage),         CONSTANT(kMaximumLanesPerRoute),
      CONSTANT(kMaximumLanePages),     CONSTANT(kMaximumLaneMessages),
      CONSTANT(kActivationLogEntries), CONSTANT(kCursorLanesOffset),
      CONSTANT(kTicketSlots),          CONSTANT(kHoldSlots),
      CONSTANT(kDrainReportEntries),   CONSTANT(kOutboxRingOffset),
      CONSTANT(kReceiptEntries),       CONSTANT(kTableEntriesOffset),
      CONSTANT(kContinuityOffset),     CONSTANT(kContinuityMagic),
      CONSTANT(kContinuityVersion),
  };
#undef CONSTANT
  return all;
}

const std::vector<PackedWord>& packed_words_in_code() {
  constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();
  static const std::vector<PackedWord> all = {
      {"LanePosition",
       8 * sizeof(LanePosition::pack(0, 0)),
       {part("offset_units", LanePosition::pack(0, std::uint64_t{kAll} * kRecordAlignment)),
        part("count_low", LanePosition::pack(kAll, 0))}},
      {"ActivationEntry",
       8 * sizeof(ActivationEntry::pack(0, 0)),
       {part("lane", ActivationEntry::lane_of(kAll)),
        part("generation", ActivationEntry::pack(0, kAll))}},
  };
  return all;
}

}  // namespace fairlead::test
