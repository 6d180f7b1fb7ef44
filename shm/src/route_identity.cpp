#include <fairlead/shm/route_identity.hpp>

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

namespace fairlead::shm {
namespace {

template <std::size_t Capacity>
bool is_principal(const FixedText<Capacity>& text) noexcept {
  return text.length <= Capacity && check_principal(text.view()) == PrincipalProblem::none;
}

bool is_pattern(const FixedText<kMaximumTopicBytes + 1>& text) noexcept {
  return text.length <= kMaximumTopicBytes && check_pattern(text.view()) == TopicProblem::none;
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

std::string identity_problem(const RouteIdentity& identity, bool of_route) {
  if (!is_principal(identity.owner)) return "owner is no principal's name";
  if (!within(identity.boundary, Boundary::none, Boundary::enforced)) {
    return named("boundary is ", identity.boundary);
  }
  if (!of_route) return {};
  if (!is_pattern(identity.pattern)) return "pattern is none";
  if (!is_principal(identity.admitted_principal))
    return "admitted principal is no principal's name";
  if (!within(identity.eviction, EvictionPolicy::oldest_head, EvictionPolicy::reject)) {
    return named("eviction policy is ", identity.eviction);
  }
  if (!within(identity.admission, AdmissionKind::all, AdmissionKind::principal_or_system)) {
    return named("admission is ", identity.admission);
  }
  if (identity.lane_capacity == 0 || identity.lane_capacity > kMaximumLanesPerRoute ||
      identity.lane_capacity % kLanesPerPage != 0) {
    return "lane capacity is " + std::to_string(identity.lane_capacity);
  }
  return {};
}

}  // namespace fairlead::shm
