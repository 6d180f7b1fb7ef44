// What the broker knows of an attached guest and of each route.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fairlead/broker/policy.hpp>
#include <fairlead/shm/uuid.hpp>

#include "attach/boundary.hpp"
#include "attach/route_memory.hpp"
#include "delivery/delivery.hpp"
#include "outbox/outbox.hpp"
#include "policy/quota.hpp"
#include "state/gate_set.hpp"
#include "table/route_table.hpp"

namespace fairlead::broker {

// What a route owns beside the Route itself. The memory outlives both.
struct OwnedRoute {
  std::shared_ptr<RouteMemory> memory;
  RouteTable::Slot slot = 0;
  GuestId guest = 0;
  bool sealed = false;   // what its guest has, or is to get
  bool interim = false;  // its guest has not come back: only we map it
  std::uint64_t claimed_epoch = 0;
  // What its guest says was pushed into a sealed segment of an earlier epoch, while interim.
  KnownPushes reported{};
  QuotaCharge charge;
};

// What a guest may still map of a route that has ended, and what it is charged for that.
struct EndedRoute {
  std::uint64_t subscription = 0;
  std::shared_ptr<RouteMemory> memory;  // of a named segment: can be truncated; else none
  QuotaCharge charge;
};

// Identity comes from the connection (R08): principal, peer and process were never the guest's
// word.
struct Guest {
  GuestId id = 0;
  ResumeToken token{};  // by which the next broker knows it again
  std::string principal;
  std::string payer;                  // whose quotas and rates it uses up
  std::optional<std::string> pinned;  // as which it was minted
  Peer peer;                          // who connected: decides the policy
  uid_t user = 0;                     // who said hello
  pid_t process = 0;
  shm::Uuid capsule{};
  std::string program;  // its own word, for logs
  std::shared_ptr<const PrincipalRule> rule;
  PeerFacts facts;
  BoundaryVerdict boundary;  // of sealed segments
  GateSet gates;
  std::vector<RouteId> routes;
  std::optional<RouteTable::Slot> outbox_slot;
  std::uint64_t outbox_id = 0;
  std::uint32_t told_refusals = 0;  // bits by shm::Refusal: what the log knows already
  QuotaCharge charge;               // the connection
  QuotaCharge outbox_charge;
  std::vector<EndedRoute> ended;  // until it says that it has unmapped them
  // Of a guest that a broker of an earlier epoch knew: until when it must have come back for all
  // that it had; 0 = nothing waits for it.
  std::uint64_t grace_until_nanoseconds = 0;
  bool away = false;             // and has no connection
  bool returned = false;         // once, in this life of the broker: the next time costs its rate
  bool sent_again = false;       // what it had published before, free of its rate
  bool outbox_settled = true;    // it has the outbox that the table's line is about
  std::uint64_t connection = 0;  // the session that speaks for it: greater = accepted later
  bool by_host = false;          // the embedding host vouched for it, not the policy
};

/// Whose log lines are counted together: see EventLog.
[[nodiscard]] inline std::string log_source(const std::optional<std::string>& pinned, uid_t user) {
  return pinned ? "principal " + *pinned : "uid " + std::to_string(user);
}

}  // namespace fairlead::broker
