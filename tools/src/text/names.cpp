#include "text/names.hpp"

#include <array>

#include <fairlead/shm/principal.hpp>

namespace fairlead::tools {
namespace {

constexpr std::string_view kExactly = "exactly:";
constexpr std::string_view kOrSystem = "or-system:";

template <class Enumeration, std::size_t Count>
std::string_view pick(const std::array<std::string_view, Count>& names,
                      Enumeration value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < Count && !names[index].empty() ? names[index] : "unknown";
}

constexpr std::array<std::string_view, 4> kPolicies = {"", "oldest-head", "fair-share", "reject"};

}  // namespace

std::string_view name_of(shm::EvictionPolicy policy) noexcept { return pick(kPolicies, policy); }

std::string_view name_of(shm::RouteState state) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"", "open", "closed", "poisoned", "filling"};
  return pick(kNames, state);
}

std::string_view name_of(shm::Boundary boundary) noexcept {
  constexpr std::array<std::string_view, 3> kNames = {"none", "cooperative", "enforced"};
  return pick(kNames, boundary);
}

std::string_view name_of(shm::LossReason reason) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"none", "budget", "lane-full", "lanes-full",
                                                      "segment-full"};
  return pick(kNames, reason);
}

std::string_view name_of(shm::Refusal refusal) noexcept {
  constexpr std::array<std::string_view, 12> kNames = {
      "none",         "not-admitted",  "larger-than-budget", "larger-than-limit",
      "full",         "segment-full",  "no-memory",          "lanes-full",
      "rate-limited", "not-permitted", "invalid-topic",      "route-closed"};
  return pick(kNames, refusal);
}

std::string admission_text(shm::AdmissionKind kind, std::string_view principal) {
  const std::string who(shm::displayed_principal(principal));
  switch (kind) {
    case shm::AdmissionKind::policy_default:
      return "policy-default";
    case shm::AdmissionKind::all:
      return "all";
    case shm::AdmissionKind::exactly:
      return std::string(kExactly) + who;
    case shm::AdmissionKind::principal_or_system:
      return std::string(kOrSystem) + who;
  }
  return "unknown";
}

std::optional<Admission> parse_admission(std::string_view text) {
  if (text == "all") return Admission{};
  Admission admission;
  if (text.starts_with(kExactly)) {
    admission.kind = shm::AdmissionKind::exactly;
    text.remove_prefix(kExactly.size());
  } else if (text.starts_with(kOrSystem)) {
    admission.kind = shm::AdmissionKind::principal_or_system;
    text.remove_prefix(kOrSystem.size());
  } else {
    return std::nullopt;
  }
  const std::string_view principal = shm::canonical_principal(text);
  if (text.empty() || shm::check_principal(principal) != shm::PrincipalProblem::none) {
    return std::nullopt;
  }
  admission.principal = principal;
  return admission;
}

std::optional<shm::EvictionPolicy> parse_policy(std::string_view text) noexcept {
  for (std::size_t index = 1; index < kPolicies.size(); ++index) {
    if (text == kPolicies[index]) return static_cast<shm::EvictionPolicy>(index);
  }
  return std::nullopt;
}

}  // namespace fairlead::tools
