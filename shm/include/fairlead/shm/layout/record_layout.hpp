// What stands in a lane's chunks: a chunk header, then records, the last of which may be a jump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/constants.hpp>

namespace fairlead::shm {

enum class RecordKind : std::uint8_t { none = 0, message = 1, jump = 2 };

// One message: this header, payload, topic, padding to kRecordAlignment. Written by the broker
// before the lane's tail moves past it; never changed while a guest may read it.
struct RecordHeader {
  std::uint32_t record_bytes;  // header, payload, topic and padding
  RecordKind kind;
  std::uint8_t topic_bytes;  // 1..255
  std::uint16_t lane;        // slot number, for validation
  std::uint32_t payload_bytes;
  std::uint32_t chunk_distance;  // bytes from the chunk's header to this record
  std::uint64_t count;           // the lane's record count; the first record ever of a slot is 0
  std::uint64_t lane_bytes;      // cost of all records of this slot before this one (R29)
  std::uint64_t sequence;        // the broker's, strictly increasing (R08)
  std::uint64_t published_nanoseconds;  // CLOCK_MONOTONIC of the broker's host
  std::uint64_t publisher;              // outbox id, 0 = the embedding host
  std::uint64_t publish_number;         // the publisher's own
};
static_assert(sizeof(RecordHeader) == 64);
static_assert(offsetof(RecordHeader, count) == 16);
static_assert(std::is_trivially_copyable_v<RecordHeader> &&
              std::is_standard_layout_v<RecordHeader>);

// Ends a chunk that has a successor: the lane goes on at `target`, an offset from the segment's
// start.
struct JumpRecord {
  std::uint32_t record_bytes;  // sizeof(JumpRecord)
  RecordKind kind;
  std::uint8_t reserved;
  std::uint16_t lane;
  std::uint64_t target;
};
static_assert(sizeof(JumpRecord) == kRecordAlignment);
static_assert(std::is_trivially_copyable_v<JumpRecord>);

// A chunk belongs to one lane's one life. It names the principal, so that a message that is kept
// after its lane was given away still knows whose it is.
struct ChunkHeader {
  std::uint32_t chunk_bytes;
  std::uint32_t generation;  // of the lane
  std::uint16_t lane;
  std::uint16_t principal_bytes;  // 0..128; the name follows this header
  std::uint32_t first_record;     // bytes from this header to the first record
};
static_assert(sizeof(ChunkHeader) == 16);
static_assert(std::is_trivially_copyable_v<ChunkHeader>);

}  // namespace fairlead::shm
