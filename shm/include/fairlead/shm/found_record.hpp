// Finding a record in a route segment from an offset that may be nonsense by now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <fairlead/shm/layout/record_layout.hpp>

namespace fairlead::shm {

// A record as it was when looked at, and where.
struct FoundRecord {
  RecordHeader record;
  std::uint64_t offset;
  [[nodiscard]] std::uint64_t cost() const noexcept {
    return std::uint64_t{record.payload_bytes} + record.topic_bytes;
  }
};

// What stands at `offset` of the segment at `base`, or where a jump there leads, if it is record
// `count` of `lane`. Touches nothing at or beyond `limit`. The memory may be given to another lane
// meanwhile: the caller finds that out (its head has moved) and drops what was found.
[[nodiscard]] std::optional<FoundRecord> find_record(const std::byte* base, std::uint64_t limit,
                                                     std::uint64_t offset, std::uint32_t lane,
                                                     std::uint64_t count) noexcept;

}  // namespace fairlead::shm
