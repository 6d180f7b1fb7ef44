// What a policy file says, as plain values. docs/policy.md describes every key; the ranges are
// checked when a file is loaded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/broker/pattern_set.hpp>
#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::broker {

// The largest charge of one message against a publish rate: payload and topic.
inline constexpr std::uint64_t kLargestPublishCharge =
    shm::kMaximumInlinePayloadBytes + shm::kMaximumTopicBytes;

// [broker]: limits of the broker as a whole.
struct BrokerLimits {
  std::uint64_t maximum_guests = 256;
  std::uint64_t maximum_routes = 16'384;
  std::uint64_t total_budget_bytes = 4ULL << 30;
  std::uint64_t total_outbox_bytes = 256ULL << 20;
  std::uint64_t descriptor_reserve = 64;     // kept back from guests, of RLIMIT_NOFILE
  std::uint64_t descriptors_in_flight = 64;  // sent and not yet acknowledged, over all guests
  std::uint64_t attach_deadline_ms = 5'000;  // from connect until the last acknowledgement
  std::uint64_t spin_us =
      shm::kDefaultSpinNanoseconds / 1'000;  // polling of outboxes before the broker sleeps
  // How long guests of a broker that died may take to come back to the next one (R34).
  std::uint64_t resume_grace_seconds = 30;

  friend bool operator==(const BrokerLimits&, const BrokerLimits&) = default;
};

// [principal.quota]: what one principal may hold, over all its connections (R32).
struct PrincipalQuota {
  std::uint64_t guests = 16;
  std::uint64_t routes = 64;
  std::uint64_t lanes_per_route = shm::kDefaultLanesPerRoute;  // R19, of each route
  std::uint64_t total_budget_bytes = 256ULL << 20;
  std::uint64_t descriptors = 256;
  std::uint64_t attaches_per_minute = 120;
  std::uint64_t outbox_bytes = 16ULL << 20;
  std::uint64_t hold_slots = shm::kHoldSlots;  // R22, of each route

  friend bool operator==(const PrincipalQuota&, const PrincipalQuota&) = default;
};

// The widest admission (R12) that the subscriptions of a principal may ask for.
enum class AdmissionLimit : std::uint8_t { own, own_or_system, all };

// Names of principals: one exact name, or with a trailing `*` every longer name that begins so.
// The system principal is matched only by its own name.
struct PrincipalNames {
  std::string prefix;  // the whole name if exact; empty and exact is the system principal
  bool exact = true;

  [[nodiscard]] bool match(std::string_view principal) const noexcept {
    if (exact) return principal == prefix;
    return principal.size() > prefix.size() && principal.starts_with(prefix);
  }
  /// As a policy file has it: "alice", "system", "agent.*".
  [[nodiscard]] std::string text() const;

  friend bool operator==(const PrincipalNames&, const PrincipalNames&) = default;
};

// Who stands at the other end of a connection, from SO_PEERCRED. The gid is the primary one.
struct Peer {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct PeerList {
  std::vector<std::uint32_t> uids;
  std::vector<std::uint32_t> gids;

  /// True when the peer's uid or its gid is listed.
  [[nodiscard]] bool lists(const Peer& peer) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return uids.empty() && gids.empty(); }
};

// [[principal]]
struct PrincipalRule {
  PrincipalNames names;
  PeerList peers;       // who may attach as such a principal of its own accord
  bool minted = false;  // true: also whoever a minter vouches for
  PatternSet publish;
  PatternSet subscribe;
  AdmissionLimit admission = AdmissionLimit::own;
  std::uint64_t budget_bytes = shm::kDefaultBudgetBytes;  // R15; of a route that asks for none
  std::uint64_t maximum_budget_bytes = 16ULL << 20;
  std::uint64_t hard_cap_factor = shm::kDefaultCapFactor;  // R15; cap = factor x budget ...
  std::uint64_t segment_cap_bytes = 0;                     // ... or, unless 0, just this
  shm::EvictionPolicy eviction_default = shm::EvictionPolicy::oldest_head;
  std::vector<shm::EvictionPolicy> eviction_allowed = {shm::EvictionPolicy::oldest_head,
                                                       shm::EvictionPolicy::fair_share,
                                                       shm::EvictionPolicy::reject};
  std::uint64_t publish_rate_bytes_per_second = 0;  // R31; 0 = unlimited
  std::uint64_t publish_burst_bytes = 0;            // never 0 where there is a rate
  std::uint64_t publish_rate_capsules = 1;          // all capsules together get that many times it
  PrincipalQuota quota;

  [[nodiscard]] std::uint64_t cap_bytes_for(std::uint64_t budget) const noexcept {
    return segment_cap_bytes != 0 ? segment_cap_bytes : hard_cap_factor * budget;
  }
};

// [[minter]]: may start guests that attach as principals of these names, if their rule says minted.
struct MinterRule {
  PeerList peers;
  std::vector<PrincipalNames> names;
};

/// "own", "own-or-system", "all"
[[nodiscard]] std::string_view to_string(AdmissionLimit limit) noexcept;
/// "oldest-head", "fair-share", "reject"; "unknown" for any other number
[[nodiscard]] std::string_view to_string(shm::EvictionPolicy policy) noexcept;

}  // namespace fairlead::broker
