#include "dump/route_identity.hpp"

#include <fairlead/shm/route_identity.hpp>

#include "dump/header_reader.hpp"

namespace fairlead::tools::dump {

bool check_identity(const shm::RouteIdentity& identity, SegmentDump& segment) {
  std::string problem = shm::identity_problem(identity, true);
  if (problem.empty() && identity.arena_offset != shm::kRouteArenaOffset) {
    problem = "arena begins at " + std::to_string(identity.arena_offset);
  }
  if (problem.empty()) return true;
  blame(segment, Verdict::corrupt, "its " + problem);
  return false;
}

}  // namespace fairlead::tools::dump
