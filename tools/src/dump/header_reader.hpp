// What every segment says of itself in its first 256 bytes, and whether that can be true.
#pragma once

#include <string>

#include <fairlead/shm/segment_name.hpp>

#include "dump/model.hpp"
#include "dump/segment_bytes.hpp"

namespace fairlead::tools::dump {

/// Records a problem: the first verdict stays, all sentences are kept.
void blame(SegmentDump& segment, Verdict verdict, std::string sentence);

/// Fills `segment` from the header. `name` is the file's, null for a sealed segment. False, with
/// the reason recorded, when nothing beyond the header should be looked at.
bool read_header(const SegmentBytes& bytes, const shm::SegmentName* name, SegmentDump& segment);

}  // namespace fairlead::tools::dump
