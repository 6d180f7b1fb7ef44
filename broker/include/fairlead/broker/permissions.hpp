// What an attached principal may publish and subscribe to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fairlead/broker/policy_model.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::broker {

/// On the data path: no allocation, no exception. False also for a topic that breaks R04.
[[nodiscard]] bool may_publish(const PrincipalRule& rule, std::string_view topic) noexcept;

/// Every topic of the pattern is allowed to the principal's subscriptions (R05). False also for a
/// pattern that breaks R04.
[[nodiscard]] bool may_subscribe(const PrincipalRule& rule, std::string_view pattern) noexcept;

/// A route that admits so much (R12) lets its subscriber `principal` see no more than the rule
/// allows. `admitted` is the admitted principal, ignored for `all`; empty is the system principal.
[[nodiscard]] bool admission_allowed(const PrincipalRule& rule, std::string_view principal,
                                     shm::AdmissionKind kind, std::string_view admitted) noexcept;

/// Of a route and of the policy's own budgets (R15).
inline constexpr std::uint64_t kSmallestRouteBudgetBytes = 4'096;

// What a guest asks of a subscription. Zeros ask for the policy's default; as admission, for the
// widest that the policy allows.
struct SubscriptionWish {
  std::string_view pattern = {};
  shm::AdmissionKind admission = shm::AdmissionKind::policy_default;
  std::string_view admitted_principal = {};
  shm::EvictionPolicy eviction = shm::EvictionPolicy::policy_default;
  std::uint64_t budget_bytes = 0;
  std::uint64_t cap_bytes = 0;
  std::uint64_t lanes = 0;
};

// What it gets: the wish with the defaults filled in, or a refusal.
struct SubscriptionDecision {
  bool allowed = false;
  shm::AdmissionKind admission = shm::AdmissionKind::policy_default;
  std::string admitted_principal;
  shm::EvictionPolicy eviction = shm::EvictionPolicy::policy_default;
  std::uint64_t budget_bytes = 0;
  std::uint64_t cap_bytes = 0;
  std::uint64_t lanes = 0;  // at least 1; the route's layout may round it up
  ErrorCode code = ErrorCode::denied;
  std::string sentence;
};

[[nodiscard]] SubscriptionDecision decide_subscription(const PrincipalRule& rule,
                                                       std::string_view principal,
                                                       const SubscriptionWish& wish);

}  // namespace fairlead::broker
