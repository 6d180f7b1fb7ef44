// Opens one file of the shared-memory directory the careful way, and reads it by kind.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "dump/model.hpp"
#include "dump/route_reader.hpp"
#include "dump/segment_bytes.hpp"

namespace fairlead::tools::dump {

/// Read-only, following no link, blocking on nothing. Fills size, owner and the like; nothing, with
/// the reason recorded, when it is not a plain file of mode 0600 that we may read, or (if `owner`
/// is given) belongs to somebody else.
[[nodiscard]] std::optional<shm::UniqueFd> open_segment(const std::string& path,
                                                        std::optional<uid_t> owner,
                                                        SegmentDump& segment);

/// Fills size and owner from an open descriptor. False when the kernel says nothing.
bool describe_file(int descriptor, SegmentDump& segment);

/// The content of a segment whose header was read; tables have a reader of their own.
void read_content(const SegmentBytes& bytes, const ReadContext& context, SegmentDump& segment);

}  // namespace fairlead::tools::dump
