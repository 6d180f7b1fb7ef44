// Whether a RouteIdentity that was read from a segment can be one.
#pragma once

#include <string>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::shm {

/// What is wrong with it, to follow "its "; empty when nothing is. Of an outbox only owner and
/// boundary count.
[[nodiscard]] std::string identity_problem(const RouteIdentity& identity, bool of_route);

}  // namespace fairlead::shm
