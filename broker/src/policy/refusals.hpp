// The wording of every refusal that comes from the policy. One sentence each, one line, at most
// kLongestRefusal bytes (so that it fits into a control packet), whatever the caller sent: what was
// refused, and what would help.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/broker/policy_model.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

#include "policy/quota.hpp"

namespace fairlead::broker::refusals {

inline constexpr std::size_t kLongestRefusal = 400;

// Attaching and minting. Principals are canonical names, shown as people write them.
[[nodiscard]] std::string bad_principal(std::string_view name, shm::PrincipalProblem problem);
[[nodiscard]] std::string unknown_user(std::uint32_t uid);
[[nodiscard]] std::string no_policy_file(const Peer& peer, std::uint32_t own_uid);
[[nodiscard]] std::string unknown_principal(std::string_view principal);
[[nodiscard]] std::string not_this_user(std::string_view principal, const Peer& peer);
[[nodiscard]] std::string must_be_minted(std::string_view principal);
[[nodiscard]] std::string no_own_principal(const Peer& peer);
[[nodiscard]] std::string several_principals(const Peer& peer,
                                             const std::vector<std::string>& names);
[[nodiscard]] std::string pinned(std::string_view pinned_principal, std::string_view requested);
[[nodiscard]] std::string not_a_minter(const Peer& peer);
[[nodiscard]] std::string may_not_mint(const Peer& peer, std::string_view principal);
[[nodiscard]] std::string not_mintable(std::string_view principal);
[[nodiscard]] std::string attach_rate(std::string_view principal, std::uint64_t per_minute);

// Publishing.
[[nodiscard]] std::string bad_topic(std::string_view topic, shm::TopicProblem problem);
[[nodiscard]] std::string may_not_publish(std::string_view principal, std::string_view topic);
[[nodiscard]] std::string payload_too_large(std::uint64_t bytes);
[[nodiscard]] std::string publish_rate(std::string_view principal, std::uint64_t bytes_per_second);
[[nodiscard]] std::string larger_than_burst(std::uint64_t bytes, std::uint64_t burst);

// Subscribing.
[[nodiscard]] std::string bad_pattern(std::string_view pattern, shm::TopicProblem problem);
[[nodiscard]] std::string may_not_subscribe(std::string_view principal, std::string_view pattern);
[[nodiscard]] std::string unknown_number(std::string_view what, std::uint64_t number);
[[nodiscard]] std::string bad_admitted(std::string_view name, shm::PrincipalProblem problem);
[[nodiscard]] std::string admission_too_wide(std::string_view principal, shm::AdmissionKind asked,
                                             std::string_view admitted, AdmissionLimit limit);
[[nodiscard]] std::string eviction_not_allowed(std::string_view principal,
                                               shm::EvictionPolicy asked,
                                               const std::vector<shm::EvictionPolicy>& allowed);
[[nodiscard]] std::string budget_too_small(std::uint64_t asked, std::uint64_t minimum);
[[nodiscard]] std::string budget_too_large(std::uint64_t asked, std::uint64_t maximum);
[[nodiscard]] std::string cap_too_large(std::uint64_t asked, std::uint64_t maximum);
[[nodiscard]] std::string too_many_lanes(std::uint64_t asked, std::uint64_t maximum);

// Quotas (R32).
[[nodiscard]] std::string quota(const QuotaRefusal& refusal);

}  // namespace fairlead::broker::refusals
