// What a broker counts, as plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/uuid.hpp>

namespace fairlead::broker {

// Of all publishes by one class of principals (names are unbounded, classes are not).
struct PublishCounts {
  std::uint64_t publishes = 0;  // ended, whatever came of them
  std::uint64_t bytes = 0;      // payload and topic
  std::uint64_t matched = 0;    // summed over publishes
  std::uint64_t taken = 0;
  std::uint64_t evicted = 0;
  std::uint64_t refused = 0;                          // by routes
  std::array<std::uint64_t, 12> refused_by_reason{};  // publishes, indexed by shm::Refusal
};

// R30: published = delivered + queued + evicted.
struct RouteStatistics {
  std::uint64_t subscription = 0;
  std::uint64_t guest = 0;
  shm::Uuid capsule{};
  std::string pattern;
  std::string owner;    // canonical: empty is the system principal
  std::string segment;  // the segment's name; empty when sealed
  shm::EvictionPolicy eviction{};
  shm::AdmissionKind admission{};
  std::string admitted_principal;
  shm::Boundary boundary{};
  bool sealed = false;
  bool open = false;  // its gate admits what is published next
  std::uint64_t budget_bytes = 0;
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t queued = 0;
  std::uint64_t evicted = 0;
  std::uint64_t refused = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t evicted_bytes = 0;
  std::uint32_t lanes = 0;
};

struct GuestStatistics {
  std::uint64_t guest = 0;
  std::string principal;
  shm::Uuid capsule{};
  std::string program;  // the guest's own word
  std::int32_t process = 0;
  std::uint32_t user = 0;
  shm::Boundary boundary{};
  std::uint64_t outbox = 0;  // its id, 0 = none
  std::vector<std::uint64_t> subscriptions;
};

struct BrokerStatistics {
  std::string name;
  std::uint64_t epoch = 0;
  std::uint64_t next_sequence = 0;
  std::array<PublishCounts, 3> published;  // indexed by shm::PrincipalClass
  std::vector<RouteStatistics> routes;
  std::vector<GuestStatistics> guests;
  std::uint64_t connections = 0;          // accepted or handed in, ever
  std::uint64_t attach_refusals = 0;      // hello or mint that was refused
  std::uint64_t request_refusals = 0;     // anything later that was refused
  std::uint64_t protocol_violations = 0;  // guests disconnected for what they sent or wrote
  std::uint64_t unread_disconnects = 0;   // guests disconnected because they did not read
  std::uint64_t expired_deadlines = 0;    // connections closed because they did not go on
  std::uint64_t poisoned_routes = 0;
  std::uint64_t descriptors_in_flight = 0;

  [[nodiscard]] const PublishCounts& of(shm::PrincipalClass principal_class) const noexcept {
    return published[static_cast<std::size_t>(principal_class)];
  }
};

}  // namespace fairlead::broker
