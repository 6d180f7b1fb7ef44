#include "dump/route_identity.hpp"

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

#include "dump/header_reader.hpp"

namespace fairlead::tools::dump {
namespace {

template <std::size_t Capacity>
bool is_principal(const shm::FixedText<Capacity>& text) noexcept {
  return text.length <= Capacity &&
         shm::check_principal(text.view()) == shm::PrincipalProblem::none;
}

bool is_pattern(const shm::FixedText<shm::kMaximumTopicBytes + 1>& text) noexcept {
  return text.length <= shm::kMaximumTopicBytes &&
         shm::check_pattern(text.view()) == shm::TopicProblem::none;
}

template <class Enumeration>
std::string named(const char* what, Enumeration value) {
  return what + std::to_string(static_cast<std::uint32_t>(value));
}

template <class Enumeration>
bool within(Enumeration value, Enumeration low, Enumeration high) noexcept {
  return value >= low && value <= high;
}

}  // namespace

std::string identity_problem(const shm::RouteIdentity& identity, bool of_route) {
  if (!is_principal(identity.owner)) return "owner is no principal's name";
  if (!within(identity.boundary, shm::Boundary::none, shm::Boundary::enforced)) {
    return named("boundary is ", identity.boundary);
  }
  if (!of_route) return {};
  if (!is_pattern(identity.pattern)) return "pattern is none";
  if (!is_principal(identity.admitted_principal))
    return "admitted principal is no principal's name";
  if (!within(identity.eviction, shm::EvictionPolicy::oldest_head, shm::EvictionPolicy::reject)) {
    return named("eviction policy is ", identity.eviction);
  }
  if (!within(identity.admission, shm::AdmissionKind::all,
              shm::AdmissionKind::principal_or_system)) {
    return named("admission is ", identity.admission);
  }
  if (identity.lane_capacity == 0 || identity.lane_capacity > shm::kMaximumLanesPerRoute ||
      identity.lane_capacity % shm::kLanesPerPage != 0) {
    return "lane capacity is " + std::to_string(identity.lane_capacity);
  }
  return {};
}

bool check_identity(const shm::RouteIdentity& identity, SegmentDump& segment) {
  std::string problem = identity_problem(identity, true);
  if (problem.empty() && identity.arena_offset != shm::kRouteArenaOffset) {
    problem = "arena begins at " + std::to_string(identity.arena_offset);
  }
  if (problem.empty()) return true;
  blame(segment, Verdict::corrupt, "its " + problem);
  return false;
}

}  // namespace fairlead::tools::dump
