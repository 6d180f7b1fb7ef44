#include "attach/outbox_memory.hpp"

#include <algorithm>
#include <bit>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::broker {

using shm::Backing;
using shm::SealMode;
using shm::Segment;
using shm::SegmentKind;

std::uint64_t outbox_ring_bytes(std::uint64_t wish) noexcept {
  constexpr std::uint64_t kLeast = 4 * 1024;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;  // far above every quota
  if (wish == 0) wish = shm::kDefaultOutboxBytes;
  return std::bit_ceil(std::clamp(wish, kLeast, kMost));
}

NewOutbox create_outbox(const SegmentStamp& stamp, OutboxOwner owner, std::uint64_t ring_bytes,
                        Backing backing, std::uint64_t first_number) {
  const auto name_of = [&](SegmentKind kind) {
    return shm::make_segment_name(stamp.broker(), stamp.epoch(), kind, owner.guest);
  };
  Segment outbox = Segment::create_sealed(
      name_of(SegmentKind::outbox), shm::kOutboxRingOffset + ring_bytes, SealMode::guest_writable);
  const std::string receipts_name = name_of(SegmentKind::receipt);
  constexpr std::uint64_t kReceiptBytes = sizeof(shm::ReceiptHeader);
  Segment receipts =
      backing == Backing::sealed
          ? Segment::create_sealed(receipts_name, kReceiptBytes, SealMode::broker_written)
          : Segment::create_named(receipts_name, kReceiptBytes, kReceiptBytes);
  shm::SegmentHeader header{};
  stamp.fill(header, receipts.size());
  format_receipts(receipts.data(), owner.outbox_id, ring_bytes, first_number, header);
  stamp.fill(header, outbox.size());
  publish_header(reinterpret_cast<shm::OutboxHeader*>(outbox.data())->segment, SegmentKind::outbox,
                 header);
  NewOutbox made;
  try {
    made.outbox = std::make_unique<Outbox>(std::move(owner), std::move(outbox), std::move(receipts),
                                           ring_bytes, first_number);
  } catch (...) {
    receipts.unlink();
    throw;
  }
  made.guest_outbox = made.outbox->memory.duplicate_descriptor();
  made.guest_receipts = made.outbox->receipt_memory.read_only_descriptor();
  return made;
}

}  // namespace fairlead::broker
