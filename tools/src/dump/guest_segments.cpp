#include "dump/guest_segments.hpp"

#include <bit>
#include <memory>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>

#include "dump/header_reader.hpp"

namespace fairlead::tools::dump {
namespace {

void blame_length(const SegmentBytes& bytes, SegmentDump& segment, const char* what) {
  blame(segment, Verdict::truncated,
        "it was cut to " + std::to_string(bytes.size()) + " bytes, too few for " + what);
}

}  // namespace

void read_receipts(const SegmentBytes& bytes, SegmentDump& segment) {
  const auto image = std::make_unique<Image<shm::ReceiptHeader>>();
  if (!image->read(bytes, 0)) {
    blame_length(bytes, segment, "receipts");
    return;
  }
  const shm::ReceiptHeader& receipts = **image;
  if (!std::has_single_bit(receipts.ring_bytes)) {
    blame(segment, Verdict::corrupt,
          "its outbox has " + std::to_string(receipts.ring_bytes) + " bytes, no power of two");
  }
  segment.content = ReceiptDump{.outbox_id = receipts.outbox_id,
                                .ring_bytes = receipts.ring_bytes,
                                .accepted_bytes = word(receipts.accepted_bytes),
                                .accepted_messages = word(receipts.accepted_number),
                                .broker_asleep = word(receipts.broker_asleep) != 0};
}

void read_outbox(const SegmentBytes& bytes, SegmentDump& segment) {
  Image<shm::OutboxHeader> outbox;
  if (!outbox.read(bytes, 0)) {
    blame_length(bytes, segment, "an outbox");
    return;
  }
  segment.content = OutboxDump{word(outbox->tail)};
}

void read_cursors(const SegmentBytes& bytes, SegmentDump& segment) {
  const auto image = std::make_unique<Image<shm::CursorHeader>>();
  if (!image->read(bytes, 0)) {
    blame_length(bytes, segment, "cursors");
    return;
  }
  const shm::CursorHeader& cursors = **image;
  CursorDump dump;
  dump.held_messages = word(cursors.messages_held);
  dump.waits = word(cursors.wait_count);
  dump.uncovered_visits = word(cursors.uncovered_visits);
  for (const shm::TicketSlot& ticket : cursors.tickets) dump.batches_out += word(ticket.batch) != 0;
  for (const auto& hold : cursors.holds) dump.holds_taken += word(hold) != 0;
  segment.content = dump;
}

}  // namespace fairlead::tools::dump
