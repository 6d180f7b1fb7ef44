// The policy's numbers in the form that token buckets and quota accounts take.
#pragma once

#include <fairlead/broker/policy_model.hpp>
#include <fairlead/shm/control_protocol.hpp>

#include "policy/quota.hpp"
#include "policy/token_bucket.hpp"

namespace fairlead::broker {

/// R31; take payload bytes + topic bytes from it. Zero units: unlimited.
[[nodiscard]] inline RateLimit publish_rate_of(const PrincipalRule& rule) noexcept {
  return {.units = rule.publish_rate_bytes_per_second, .burst = rule.publish_burst_bytes};
}

/// The same for all capsules of a principal together.
[[nodiscard]] inline RateLimit whole_publish_rate_of(const PrincipalRule& rule) noexcept {
  return {.units = rule.publish_rate_bytes_per_second * rule.publish_rate_capsules,
          .burst = rule.publish_burst_bytes * rule.publish_rate_capsules};
}

/// Take 1 per attach. A minute's worth may come at once.
[[nodiscard]] inline RateLimit attach_rate_of(const PrincipalRule& rule) noexcept {
  return {.units = rule.quota.attaches_per_minute,
          .period_nanoseconds = 60'000'000'000,
          .burst = rule.quota.attaches_per_minute};
}

[[nodiscard]] inline QuotaAmounts quota_of(const PrincipalRule& rule) noexcept {
  return {.guests = rule.quota.guests,
          .routes = rule.quota.routes,
          .budget_bytes = rule.quota.total_budget_bytes,
          .descriptors = rule.quota.descriptors,
          .outbox_bytes = rule.quota.outbox_bytes,
          .in_flight = UINT64_MAX};  // a fair share of what all have
}

/// `descriptor_limit` is the soft RLIMIT_NOFILE of the broker.
[[nodiscard]] inline QuotaAmounts quota_of(const BrokerLimits& broker,
                                           std::uint64_t descriptor_limit) noexcept {
  const std::uint64_t reserve = broker.descriptor_reserve;
  return {.guests = broker.maximum_guests,
          .routes = broker.maximum_routes,
          .budget_bytes = broker.total_budget_bytes,
          .descriptors = descriptor_limit > reserve ? descriptor_limit - reserve : 0,
          .outbox_bytes = broker.total_outbox_bytes,
          .in_flight = broker.descriptors_in_flight};
}

/// One guest with one route of the default budget (sealed: its whole segment counts) and one
/// outbox: what a principal may hold however much the others hold, as long as there is any left.
inline constexpr QuotaAmounts kQuotaFloor{
    .guests = 1,
    .routes = 1,
    .budget_bytes = (shm::kDefaultCapFactor + 1) * shm::kDefaultBudgetBytes,
    .descriptors = 8,
    .outbox_bytes = shm::kDefaultOutboxBytes,
    .in_flight = shm::control::kMaximumDescriptorsPerPacket};

/// How long guests of a broker that is gone are waited for.
[[nodiscard]] inline std::uint64_t grace_nanoseconds_of(const Policy& policy) noexcept {
  return policy.broker().resume_grace_seconds * 1'000'000'000;
}

}  // namespace fairlead::broker
