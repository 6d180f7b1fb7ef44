// Checks the part of a route segment (and of a table entry) that says what the route is.
#pragma once

#include <string>

#include <fairlead/shm/layout/route_layout.hpp>

#include "dump/model.hpp"

namespace fairlead::tools::dump {

/// What is wrong with it, as the end of the sentence "its ..."; empty when nothing is. An outbox's
/// identity (in a table entry) has only owner, guest and id.
[[nodiscard]] std::string identity_problem(const shm::RouteIdentity& identity, bool of_route);

/// False, and `corrupt` recorded, when the identity cannot be an honest broker's.
bool check_identity(const shm::RouteIdentity& identity, SegmentDump& segment);

}  // namespace fairlead::tools::dump
