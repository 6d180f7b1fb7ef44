// Checks the part of a route segment (and of a table entry) that says what the route is.
#pragma once

#include <fairlead/shm/layout/route_layout.hpp>

#include "dump/model.hpp"

namespace fairlead::tools::dump {

/// False, and `corrupt` recorded, when the identity cannot be an honest broker's.
bool check_identity(const shm::RouteIdentity& identity, SegmentDump& segment);

}  // namespace fairlead::tools::dump
