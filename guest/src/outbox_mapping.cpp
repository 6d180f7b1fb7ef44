#include "outbox_mapping.hpp"

#include <fcntl.h>

#include <string>
#include <utility>

#include <fairlead/shm/error.hpp>

namespace fairlead::guest {
namespace {

using shm::Access;
using shm::OutboxRecord;
using shm::Segment;

constexpr std::uint64_t kMostOutboxBytes = std::uint64_t{1} << 32;

void check_outbox_sizes(const shm::control::OutboxOpened& opened) {
  const std::uint64_t ring = opened.ring_bytes;
  const bool sound = ring >= sizeof(OutboxRecord) && (ring & (ring - 1)) == 0 &&
                     opened.outbox_segment_bytes <= kMostOutboxBytes &&
                     opened.receipt_segment_bytes <= kMostOutboxBytes &&
                     opened.outbox_segment_bytes >= shm::kOutboxRingOffset &&
                     ring <= opened.outbox_segment_bytes - shm::kOutboxRingOffset &&
                     opened.receipt_segment_bytes >= sizeof(shm::ReceiptHeader);
  if (sound) return;
  throw Error(ErrorCode::corrupt,
              "the outbox that the broker offers is unusable: a ring of " + std::to_string(ring) +
                  " bytes in " + std::to_string(opened.outbox_segment_bytes) + ", receipts in " +
                  std::to_string(opened.receipt_segment_bytes));
}

Segment map_segment(std::vector<shm::UniqueFd>& descriptors, std::size_t index, Access access,
                    shm::SegmentKind kind, std::uint64_t bytes) {
  if (index >= descriptors.size()) {
    throw Error(ErrorCode::protocol, "the broker sent no descriptors with the outbox");
  }
  shm::OpenOptions options;
  options.kind = kind;
  options.minimum_file_bytes = bytes;
  options.map_bytes = bytes;
  options.check_mode = false;
  if (access == Access::read_write) options.required_seals = F_SEAL_SHRINK | F_SEAL_GROW;
  return Segment::adopt_descriptor(std::move(descriptors[index]), access, options).value();
}

}  // namespace

OutboxMapping::OutboxMapping(std::shared_ptr<Connection> connection,
                             const shm::control::OutboxOpened& opened,
                             std::vector<shm::UniqueFd> descriptors, std::uint64_t first_number)
    : connection_(std::move(connection)),
      ring_bytes_((check_outbox_sizes(opened), opened.ring_bytes)),
      outbox_(map_segment(descriptors, 0, Access::read_write, shm::SegmentKind::outbox,
                          opened.outbox_segment_bytes)),
      receipts_(std::make_shared<const ReceiptPage>(
          map_segment(descriptors, 1, Access::read_only, shm::SegmentKind::receipt,
                      opened.receipt_segment_bytes),
          first_number)),
      header_(*reinterpret_cast<shm::OutboxHeader*>(outbox_.data())),
      ring_(outbox_.data() + shm::kOutboxRingOffset) {}

}  // namespace fairlead::guest
