// The broker that comes after one that was killed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors.hpp"
#include "dump_checks.hpp"

namespace fairlead::killing {

/// Starts over whatever is there, serves a new guest, and stops. Its sequence numbers must be
/// greater than `newest_sequence`.
void serve_with_next_broker(const Place& place, std::uint64_t newest_sequence,
                            const Complain& complain);

/// Segments of that broker's name.
[[nodiscard]] std::vector<std::string> files_of(const Place& place);
/// What should not be there any more, in a sentence; removes it.
std::string remove_what_is_left(const Place& place);

}  // namespace fairlead::killing
