// The two segments of a publishing guest, and what it gets of them.
#pragma once

#include <cstdint>
#include <memory>

#include <fairlead/shm/unique_fd.hpp>

#include "attach/segment_stamp.hpp"
#include "outbox/outbox.hpp"

namespace fairlead::broker {

struct NewOutbox {
  std::unique_ptr<Outbox> outbox;
  shm::UniqueFd guest_outbox;
  shm::UniqueFd guest_receipts;  // cannot be mapped writable
};

/// The ring for a guest's wish (0: the default): a power of two, at least 4 KiB.
[[nodiscard]] std::uint64_t outbox_ring_bytes(std::uint64_t wish) noexcept;

/// Makes and formats the segments; `first_number` is that of the first publish. The receipt segment
/// is named, or sealed. Throws Error; nothing stays behind then.
[[nodiscard]] NewOutbox create_outbox(const SegmentStamp& stamp, OutboxOwner owner,
                                      std::uint64_t ring_bytes, shm::Backing backing,
                                      std::uint64_t first_number = 1);

}  // namespace fairlead::broker
