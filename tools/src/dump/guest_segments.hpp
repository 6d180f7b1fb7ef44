// Reads what belongs to one guest: its receipts (the broker's word), its outbox and its cursors
// (the guest's own word, which can be anything and is shown, not judged).
#pragma once

#include "dump/model.hpp"
#include "dump/segment_bytes.hpp"

namespace fairlead::tools::dump {

void read_receipts(const SegmentBytes& bytes, SegmentDump& segment);
void read_outbox(const SegmentBytes& bytes, SegmentDump& segment);
void read_cursors(const SegmentBytes& bytes, SegmentDump& segment);

}  // namespace fairlead::tools::dump
