// The parts of the text that are about one segment.
#pragma once

#include <string>

#include "dump/model.hpp"
#include "dump/render_text.hpp"

namespace fairlead::tools::dump {

/// "fairlead.main.table, 12 KiB" or "sealed, 4.0 MiB".
[[nodiscard]] std::string place_text(const SegmentDump& segment);
/// "  (left by epoch 2)", or nothing.
[[nodiscard]] std::string leftover_text(const BrokerDump& broker, const SegmentDump& segment);
/// One line per sentence, the first with the verdict.
void append_problems(std::string& out, const SegmentDump& segment, const Paint& paint,
                     std::size_t indent);

/// `cursors` may be null.
void append_route(std::string& out, const BrokerDump& broker, const SegmentDump& segment,
                  const SegmentDump* cursors, const TextOptions& options);

}  // namespace fairlead::tools::dump
