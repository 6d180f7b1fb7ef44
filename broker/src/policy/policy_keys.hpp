// Every key that a policy file may hold. The loader accepts exactly these, and a test holds
// docs/policy.md against them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <fairlead/broker/policy_model.hpp>

namespace fairlead::broker {

enum class PolicyTable : std::uint8_t { broker, principal, quota, minter };
enum class PolicyType : std::uint8_t { integer, boolean, text, texts, identities };

struct PolicyKey {
  PolicyTable table;
  std::string_view name;
  PolicyType type;
  std::string_view unit;  // empty for types other than integer
  std::uint64_t minimum;  // both for integers only
  std::uint64_t maximum;
  std::string_view standard;  // the default as the docs show it; empty for required keys
};

inline constexpr std::uint64_t kGibibyte = 1ULL << 30;

inline constexpr std::array<PolicyKey, 36> kPolicyKeys = {{
    {PolicyTable::broker, "maximum_guests", PolicyType::integer, "guests", 1, 4'096, "256"},
    {PolicyTable::broker, "maximum_routes", PolicyType::integer, "routes", 1, 30'000, "16384"},
    {PolicyTable::broker, "total_budget_bytes", PolicyType::integer, "bytes", 4'096,
     1'024 * kGibibyte, "4294967296"},
    {PolicyTable::broker, "total_outbox_bytes", PolicyType::integer, "bytes", 4'096,
     1'024 * kGibibyte, "268435456"},
    {PolicyTable::broker, "descriptor_reserve", PolicyType::integer, "descriptors", 16, 65'536,
     "64"},
    {PolicyTable::broker, "descriptors_in_flight", PolicyType::integer, "descriptors", 3, 1'024,
     "64"},
    {PolicyTable::broker, "attach_deadline_ms", PolicyType::integer, "milliseconds", 100, 60'000,
     "5000"},
    {PolicyTable::broker, "spin_us", PolicyType::integer, "microseconds", 0, 1'000, "2"},
    {PolicyTable::broker, "resume_grace_seconds", PolicyType::integer, "seconds", 0, 3'600, "30"},

    {PolicyTable::principal, "name", PolicyType::text, "", 0, 0, ""},
    {PolicyTable::principal, "uid", PolicyType::identities, "", 0, 0, "none"},
    {PolicyTable::principal, "gid", PolicyType::identities, "", 0, 0, "none"},
    {PolicyTable::principal, "minted", PolicyType::boolean, "", 0, 0, "false"},
    {PolicyTable::principal, "publish", PolicyType::texts, "", 0, 0, "none"},
    {PolicyTable::principal, "subscribe", PolicyType::texts, "", 0, 0, "none"},
    {PolicyTable::principal, "admission", PolicyType::text, "", 0, 0, "\"own\""},
    {PolicyTable::principal, "budget_bytes", PolicyType::integer, "bytes", 4'096, kGibibyte,
     "1048576"},
    {PolicyTable::principal, "maximum_budget_bytes", PolicyType::integer, "bytes", 4'096, kGibibyte,
     "16777216"},
    {PolicyTable::principal, "hard_cap_factor", PolicyType::integer, "times", 2, 16, "4"},
    {PolicyTable::principal, "segment_cap_bytes", PolicyType::integer, "bytes", 65'536,
     16 * kGibibyte, "none"},
    {PolicyTable::principal, "eviction_default", PolicyType::text, "", 0, 0, "\"oldest-head\""},
    {PolicyTable::principal, "eviction_allowed", PolicyType::texts, "", 0, 0, "all three"},
    {PolicyTable::principal, "publish_rate_bytes_per_second", PolicyType::integer,
     "bytes per second", 1, 16 * kGibibyte, "none"},
    {PolicyTable::principal, "publish_burst_bytes", PolicyType::integer, "bytes", 1, 16 * kGibibyte,
     "one second's worth"},
    {PolicyTable::principal, "publish_rate_capsules", PolicyType::integer, "capsules", 1, 4'096,
     "1"},

    {PolicyTable::quota, "guests", PolicyType::integer, "guests", 1, 4'096, "16"},
    {PolicyTable::quota, "routes", PolicyType::integer, "routes", 0, 30'000, "64"},
    {PolicyTable::quota, "lanes_per_route", PolicyType::integer, "lanes", 1,
     shm::kMaximumLanesPerRoute, "8192"},
    {PolicyTable::quota, "total_budget_bytes", PolicyType::integer, "bytes", 0, 1'024 * kGibibyte,
     "268435456"},
    {PolicyTable::quota, "descriptors", PolicyType::integer, "descriptors", 0, 65'536, "256"},
    {PolicyTable::quota, "attaches_per_minute", PolicyType::integer, "attaches per minute", 1,
     1'000'000, "120"},
    {PolicyTable::quota, "outbox_bytes", PolicyType::integer, "bytes", 0, 1'024 * kGibibyte,
     "16777216"},
    {PolicyTable::quota, "hold_slots", PolicyType::integer, "messages", 0, shm::kHoldSlots, "256"},

    {PolicyTable::minter, "uid", PolicyType::identities, "", 0, 0, "none"},
    {PolicyTable::minter, "gid", PolicyType::identities, "", 0, 0, "none"},
    {PolicyTable::minter, "names", PolicyType::texts, "", 0, 0, ""},
}};

/// As a file has it: "[broker]", "[[principal]]", "[principal.quota]", "[[minter]]".
[[nodiscard]] std::string_view to_string(PolicyTable table) noexcept;

/// Null when the table has no such key.
[[nodiscard]] const PolicyKey* find_policy_key(PolicyTable table, std::string_view name) noexcept;

}  // namespace fairlead::broker
