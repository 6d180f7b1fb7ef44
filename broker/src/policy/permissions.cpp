#include <fairlead/broker/permissions.hpp>

#include <algorithm>
#include <utility>

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

#include "policy/refusals.hpp"

namespace fairlead::broker {
namespace {

shm::AdmissionKind widest(AdmissionLimit limit) noexcept {
  switch (limit) {
    case AdmissionLimit::all:
      return shm::AdmissionKind::all;
    case AdmissionLimit::own_or_system:
      return shm::AdmissionKind::principal_or_system;
    case AdmissionLimit::own:
      break;
  }
  return shm::AdmissionKind::exactly;
}

bool is_known(shm::AdmissionKind kind) noexcept {
  return kind >= shm::AdmissionKind::all && kind <= shm::AdmissionKind::principal_or_system;
}

bool is_known(shm::EvictionPolicy policy) noexcept {
  return policy >= shm::EvictionPolicy::oldest_head && policy <= shm::EvictionPolicy::reject;
}

// Each step checks one part of the wish and fills it in. False means refused, with a sentence.
bool refuse(SubscriptionDecision& made, ErrorCode code, std::string sentence) {
  made.code = code;
  made.sentence = std::move(sentence);
  return false;
}

bool settle_pattern(const PrincipalRule& rule, std::string_view principal, std::string_view pattern,
                    SubscriptionDecision& made) {
  const shm::TopicProblem problem = shm::check_pattern(pattern);
  if (problem != shm::TopicProblem::none) {
    return refuse(made, ErrorCode::invalid_pattern, refusals::bad_pattern(pattern, problem));
  }
  return may_subscribe(rule, pattern) ||
         refuse(made, ErrorCode::denied, refusals::may_not_subscribe(principal, pattern));
}

bool settle_admission(const PrincipalRule& rule, std::string_view principal,
                      const SubscriptionWish& wish, SubscriptionDecision& made) {
  const bool unasked = wish.admission == shm::AdmissionKind::policy_default;
  made.admission = unasked ? widest(rule.admission) : wish.admission;
  if (!is_known(made.admission)) {
    const auto number = static_cast<std::uint32_t>(made.admission);
    return refuse(made, ErrorCode::invalid_argument, refusals::unknown_number("admission", number));
  }
  if (made.admission != shm::AdmissionKind::all) {
    made.admitted_principal = unasked ? principal : wish.admitted_principal;
  }
  const shm::PrincipalProblem problem = shm::check_principal(made.admitted_principal);
  if (problem != shm::PrincipalProblem::none) {
    return refuse(made, ErrorCode::invalid_principal,
                  refusals::bad_admitted(made.admitted_principal, problem));
  }
  return admission_allowed(rule, principal, made.admission, made.admitted_principal) ||
         refuse(made, ErrorCode::denied,
                refusals::admission_too_wide(principal, made.admission, made.admitted_principal,
                                             rule.admission));
}

bool settle_eviction(const PrincipalRule& rule, std::string_view principal,
                     shm::EvictionPolicy asked, SubscriptionDecision& made) {
  made.eviction = asked == shm::EvictionPolicy::policy_default ? rule.eviction_default : asked;
  if (!is_known(made.eviction)) {
    const auto number = static_cast<std::uint32_t>(made.eviction);
    return refuse(made, ErrorCode::invalid_argument,
                  refusals::unknown_number("eviction policy", number));
  }
  const auto& allowed = rule.eviction_allowed;
  return std::find(allowed.begin(), allowed.end(), made.eviction) != allowed.end() ||
         refuse(made, ErrorCode::denied,
                refusals::eviction_not_allowed(principal, made.eviction, allowed));
}

bool settle_sizes(const PrincipalRule& rule, const SubscriptionWish& wish,
                  SubscriptionDecision& made) {
  made.budget_bytes = wish.budget_bytes == 0 ? rule.budget_bytes : wish.budget_bytes;
  if (made.budget_bytes < kSmallestRouteBudgetBytes) {
    return refuse(made, ErrorCode::invalid_argument,
                  refusals::budget_too_small(made.budget_bytes, kSmallestRouteBudgetBytes));
  }
  if (made.budget_bytes > rule.maximum_budget_bytes) {
    return refuse(made, ErrorCode::quota_exceeded,
                  refusals::budget_too_large(made.budget_bytes, rule.maximum_budget_bytes));
  }
  const std::uint64_t greatest_cap = rule.cap_bytes_for(made.budget_bytes);
  made.cap_bytes = wish.cap_bytes == 0 ? greatest_cap : wish.cap_bytes;
  if (made.cap_bytes > greatest_cap) {
    return refuse(made, ErrorCode::quota_exceeded,
                  refusals::cap_too_large(made.cap_bytes, greatest_cap));
  }
  const std::uint64_t greatest_lanes = rule.quota.lanes_per_route;
  const std::uint64_t usual = std::min<std::uint64_t>(greatest_lanes, shm::kDefaultLanesPerRoute);
  made.lanes = wish.lanes == 0 ? usual : wish.lanes;
  return made.lanes <= greatest_lanes ||
         refuse(made, ErrorCode::quota_exceeded,
                refusals::too_many_lanes(made.lanes, greatest_lanes));
}

}  // namespace

bool may_publish(const PrincipalRule& rule, std::string_view topic) noexcept {
  return rule.publish.allows(topic);
}

bool may_subscribe(const PrincipalRule& rule, std::string_view pattern) noexcept {
  return rule.subscribe.covers(pattern);
}

bool admission_allowed(const PrincipalRule& rule, std::string_view principal,
                       shm::AdmissionKind kind, std::string_view admitted) noexcept {
  if (!is_known(kind)) return false;
  if (rule.admission == AdmissionLimit::all) return true;
  if (kind == shm::AdmissionKind::all) return false;
  const auto sees = [&](std::string_view seen) {
    return seen == principal || (seen.empty() && rule.admission == AdmissionLimit::own_or_system);
  };
  return sees(admitted) && (kind == shm::AdmissionKind::exactly || sees(""));
}

SubscriptionDecision decide_subscription(const PrincipalRule& rule, std::string_view principal,
                                         const SubscriptionWish& wish) {
  SubscriptionDecision made;
  made.allowed = settle_pattern(rule, principal, wish.pattern, made) &&
                 settle_admission(rule, principal, wish, made) &&
                 settle_eviction(rule, principal, wish.eviction, made) &&
                 settle_sizes(rule, wish, made);
  return made;
}

}  // namespace fairlead::broker
