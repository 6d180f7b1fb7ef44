// A guest of a broker: attaches, subscribes, publishes.
//
//   auto guest = fairlead::guest::Guest::attach({.socket_path = "/run/fairlead/broker.sock"});
//   auto route = guest.subscribe("agent.v1.*");
//   for (const auto& message : route.drain()) use(message.text());
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <fairlead/guest/attach.hpp>
#include <fairlead/guest/publisher.hpp>
#include <fairlead/guest/subscription.hpp>
#include <fairlead/shm/control_protocol.hpp>

namespace fairlead::guest {

/// Where a route's segment lies. `automatic`: as the broker is set up (BrokerOptions::backing);
/// left to itself it seals where that makes the boundary `enforced`, for guests of its own uid in a
/// sandbox, and names the segment for all others. A sealed segment has its full size from the
/// start.
using Backing = shm::control::BackingWish;

struct SubscribeOptions {
  /// Whose messages (R12). `policy_default`: the widest that the policy allows us.
  shm::AdmissionKind admission = shm::AdmissionKind::policy_default;
  /// For `exactly` and `principal_or_system`; "" or "system" is system.
  std::string admitted_principal{};
  /// What gives way when the budget is used up (R17, R21). `policy_default`: its eviction_default.
  shm::EvictionPolicy eviction = shm::EvictionPolicy::policy_default;
  /// Bytes of payload and topic that may be queued (R15), at least 4096. 0: the policy's default.
  std::uint64_t budget_bytes = 0;
  /// Bytes of the segment, overhead included (R15). 0: shm::kDefaultCapFactor times the budget.
  std::uint64_t cap_bytes = 0;
  /// Principals with messages at one time (R19), rounded up to 64. 0: the policy's default.
  std::uint32_t lanes = 0;
  Backing backing = Backing::automatic;
  /// Admits nothing until open_gate() (R13).
  bool staged = false;
  /// Also make Subscription::descriptor(), for poll() and epoll.
  bool descriptor = false;
  WaitSettings waiting{};
};

/// Move-only; all calls are thread-safe, but moving and destroying. It has no thread of its own:
/// what the broker says unasked is read while waiting, and with the next question.
///
/// Every call here is a question to the broker: it waits up to AttachOptions::timeout and throws
/// Error. Common codes: what the broker refuses with, in its words; disconnected (it hung up);
/// timeout (and the connection is given up); protocol (likewise). Not for forked children.
///
/// The connection lives as long as the Guest or anything made through it. When the broker is killed
/// or restarted, whatever is called next comes back to its successor, within the limits of
/// AttachOptions::resume_for: routes go on where they were, publishes that have no receipt are
/// handed over again, nothing is lost or delivered twice (R34). A question waits for that up to its
/// time-out and is asked again.
class Guest {
 public:
  /// Connects and introduces us. Throws Error: broker_gone (nobody listens there), not_found (no
  /// path given and none inherited), denied, invalid_principal, wrong_layout and wrong_version (the
  /// broker is of another build), quota_exceeded, rate_limited, invalid_argument, and as above.
  [[nodiscard]] static Guest attach(AttachOptions options = {});

  Guest(Guest&&) noexcept;
  Guest& operator=(Guest&&) noexcept;
  ~Guest();

  /// Of the broker that we are attached to now, or were last. Throws std::bad_alloc.
  [[nodiscard]] Welcome welcome() const;
  /// False while the broker is known to be gone; asks the kernel. noexcept, one system call.
  [[nodiscard]] bool connected() const noexcept;

  /// Throws Error: invalid_pattern (R04), invalid_principal, denied (R05), quota_exceeded (R32),
  /// invalid_argument, out_of_memory, limit, and as above; corrupt, truncated, wrong_layout or
  /// foreign_segment for segments that are not what the broker said.
  [[nodiscard]] Subscription subscribe(std::string_view pattern, SubscribeOptions options = {});
  /// Ends the route and waits until the broker has done so. Batches and kept messages that are out
  /// stay valid. Other threads and workers may be in the middle of draining or waiting: they find
  /// what is left, then `closed`. The route's memory counts against the quota until the
  /// Subscription and all that came of it are destroyed, in all workers.
  void unsubscribe(const Subscription& subscription);
  /// The same, and destroys it. A Subscription that is just destroyed ends its route without
  /// waiting.
  void unsubscribe(Subscription&& subscription);

  /// Lets all staged routes of this guest admit from the next message on, in one atomic step (R13).
  void open_gate();
  /// Lets them admit nothing any more, likewise.
  void retire_gate();

  /// The outbox; made with the first call, whose options count.
  [[nodiscard]] Publisher publisher(PublisherOptions options = {});

 private:
  class State;
  explicit Guest(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;
};

}  // namespace fairlead::guest
