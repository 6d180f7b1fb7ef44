#include <fairlead/shm/found_record.hpp>

#include <fairlead/shm/untrusted.hpp>
#include <fairlead/shm/word_copy.hpp>

namespace fairlead::shm {

std::optional<FoundRecord> find_record(const std::byte* base, std::uint64_t limit,
                                       std::uint64_t offset, std::uint32_t lane,
                                       std::uint64_t count) noexcept {
  if (offset % kRecordAlignment != 0 || !fits(offset, sizeof(JumpRecord), limit))
    return std::nullopt;
  if (const auto jump = load_words<JumpRecord>(base + offset); jump.kind == RecordKind::jump)
    offset = jump.target;
  if (offset % kRecordAlignment != 0 || !fits(offset, sizeof(RecordHeader), limit))
    return std::nullopt;
  const FoundRecord found{load_words<RecordHeader>(base + offset), offset};
  const RecordHeader& record = found.record;
  if (record.kind != RecordKind::message || record.count != count || record.lane != lane)
    return std::nullopt;
  if (record.record_bytes < sizeof(RecordHeader) + found.cost() ||
      !fits(offset, record.record_bytes, limit))
    return std::nullopt;
  if (record.chunk_distance > offset || record.chunk_distance % kRecordAlignment != 0)
    return std::nullopt;
  const auto chunk = load_words<ChunkHeader>(base + offset - record.chunk_distance);
  const bool sound = chunk.lane == lane && chunk.principal_bytes <= kMaximumPrincipalBytes &&
                     sizeof(ChunkHeader) + chunk.principal_bytes <= record.chunk_distance;
  return sound ? std::optional(found) : std::nullopt;
}

}  // namespace fairlead::shm
