// Reads a broker's route table.
#pragma once

#include <optional>

#include "dump/model.hpp"
#include "dump/segment_bytes.hpp"
#include "dump/snapshot.hpp"

namespace fairlead::tools::dump {

/// Nothing, with the reason recorded, when the table cannot be believed. Entries that make no sense
/// are recorded and left out. The header was read.
[[nodiscard]] std::optional<TableDump> read_table(const SegmentBytes& bytes, Patience patience,
                                                  SegmentDump& segment);

}  // namespace fairlead::tools::dump
