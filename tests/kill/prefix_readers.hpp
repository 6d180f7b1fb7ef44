// Who reads what a killed broker left behind. Empty: it is what was committed.
#pragma once

#include <string>

#include "prefix_images.hpp"
#include "rehearsal.hpp"

namespace fairlead::killing {

/// Drains a copy of the guest's route to its end: each message that was published and not taken
/// before, once and in order, or it is reported as lost (R29).
[[nodiscard]] std::string read_as_guest(const PrefixImages& images, const Rehearsal& rehearsal);
/// As the next broker does for a guest that took nothing: copies what is queued.
[[nodiscard]] std::string read_as_adopter(const PrefixImages& images, const Rehearsal& rehearsal);
/// Nothing is corrupt, and sums hold (R30), but where a change is said to be under way.
[[nodiscard]] std::string read_as_dump(const std::string& directory, const std::string& broker);

}  // namespace fairlead::killing
