// Everything that a broker's calls and its service thread share.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fairlead/broker/options.hpp>
#include <fairlead/broker/policy.hpp>
#include <fairlead/broker/publish.hpp>
#include <fairlead/broker/statistics.hpp>

#include "delivery/delivery.hpp"
#include "outbox/outbox_service.hpp"
#include "policy/publish_rates.hpp"
#include "policy/quota_ledger.hpp"
#include "policy/rate_table.hpp"
#include "state/event_log.hpp"
#include "state/guest.hpp"
#include "state/maintenance.hpp"
#include "table/route_table.hpp"

namespace fairlead::broker {

// Numbers of BrokerStatistics that only grow.
struct BrokerCounters {
  std::array<PublishCounts, 3> published{};
  std::uint64_t connections = 0;
  std::uint64_t attach_refusals = 0;
  std::uint64_t request_refusals = 0;
  std::uint64_t protocol_violations = 0;
  std::uint64_t unread_disconnects = 0;
  std::uint64_t expired_deadlines = 0;
  std::uint64_t poisoned_routes = 0;
};

// Something the service thread has to carry out on a guest's connection.
struct EndOrder {
  GuestId guest = 0;
  std::optional<std::uint64_t> subscription = std::nullopt;  // the whole guest
  shm::RouteState state = shm::RouteState::closed;
  shm::Refusal reason = shm::Refusal::route_closed;
  std::string sentence{};
};

// What is left of something that ended: destroyed by the caller once the mutex is free, because
// unmapping takes a while.
struct Remains {
  std::vector<std::shared_ptr<RouteMemory>> routes;
  std::unique_ptr<Outbox> outbox;
  std::vector<QuotaCharge> charges;  // of memory that the guest may still map
};

// How a route enters the state.
struct RouteSetup {
  shm::RouteIdentity identity{};
  bool sealed = false;
  bool interim = false;
  std::uint64_t claimed_epoch = 0;
  std::uint64_t missed_nanoseconds = 0;  // while interim
  QuotaCharge charge{};
};

// The segment that a guest of an earlier epoch was sent for its route.
struct OfferedRoute {
  RouteId id = 0;
  std::uint64_t subscription = 0;
  NewRoute made{};
  shm::RouteIdentity identity{};
  bool sealed = false;
  std::uint32_t hold_slots = 0;
  QuotaCharge charge{};
};

// One mutex guards all of it but what is const or locks by itself. It is held for bounded work on
// memory only: never while something waits that a guest could delay.
class BrokerState final : private OutboxSupervisor {
 public:
  BrokerState(BrokerOptions options, Policy policy);
  ~BrokerState() override;

  const BrokerOptions options;
  const std::function<std::uint64_t()> clock;
  EventLog log;

  mutable std::mutex mutex;
  // ---- guarded by `mutex` ----
  std::condition_variable room;  // tells waiting publishers to look again (R21)
  bool stopped = false;
  std::shared_ptr<const Policy> policy;
  RouteTable table;
  Delivery delivery;
  QuotaLedger quotas;
  RateTable attach_rates;
  OutboxService outboxes;
  BrokerCounters counters;
  Maintenance maintenance;
  std::map<GuestId, std::unique_ptr<Guest>> guests;
  std::unordered_map<RouteId, OwnedRoute> routes;
  RouteId routes_end = 0;                                        // one past the highest id ever
  std::map<std::string, const FanOut*, std::less<>> host_waits;  // by principal, see HostPublish
  std::vector<EndOrder> orders;
  std::unordered_set<std::uint64_t> resumable_outboxes;  // of earlier epochs; may send again
  std::uint64_t descriptors_in_flight = 0;
  std::uint64_t last_connection = 0;
  std::uint64_t adopted_at_nanoseconds = 0;
  std::function<void()> wake_service;  // set while there is one

  // ---- all of these with `mutex` held ----
  [[nodiscard]] Guest* find_guest(GuestId id) noexcept;
  [[nodiscard]] GuestId add_guest(std::unique_ptr<Guest> guest);
  /// Everything of it goes; with `thrown_out` its named segments are truncated.
  [[nodiscard]] Remains remove_guest(GuestId id, bool thrown_out);

  [[nodiscard]] static std::unique_ptr<Route> make_route(const NewRoute& made,
                                                         std::shared_ptr<const Gate> gate);
  RouteId add_route(Guest& guest, const NewRoute& made, std::unique_ptr<Route> route,
                    RouteSetup setup);
  [[nodiscard]] std::optional<RouteId> find_route(const Guest& guest,
                                                  std::uint64_t subscription) noexcept;
  /// `truncate`: the guest says that it maps nothing of it, or has forfeited it.
  [[nodiscard]] Remains end_route(RouteId id, shm::RouteState state, bool truncate);
  /// The guest says that it maps nothing any more of a route that has ended. False: of none such.
  [[nodiscard]] bool take_back_ended(Guest& guest, std::uint64_t subscription, Remains& remains);

  // ---- of guests that a broker of an earlier epoch knew (state/return.cpp) ----
  [[nodiscard]] Guest* find_by_token(const ResumeToken& token) noexcept;
  /// Its guest has the segment: what waited for it goes there, and the guest may begin. False: the
  /// route has ended meanwhile, or must end because the table has no room.
  [[nodiscard]] bool claim_route(OfferedRoute& offered, Remains& remains);
  /// An offer that came to nothing.
  void take_back(OfferedRoute& offered) noexcept;
  /// Guests whose time is over go. When to look again; nothing: nobody is away.
  [[nodiscard]] std::optional<std::uint64_t> expire_away(std::uint64_t now,
                                                         std::vector<Remains>& remains);
  /// The line of an outbox that its guest never asked for again.
  void forget_outbox(Guest& guest) noexcept;
  /// Carries out an order on a guest that is away.
  void end_of_absent(const EndOrder& order, std::vector<Remains>& remains);
  /// Its connection broke before it had all of its routes: it may come once more.
  [[nodiscard]] bool send_away(Guest& guest, std::vector<Remains>& remains);

  void set_gate(Guest& guest, bool open);
  /// Looks at some routes if that is due; adds to `orders` those that must end.
  void maintain_slice();
  void replace_policy(Policy replacement);
  /// Something was published: maintenance will have something to do.
  void touched();
  void count(std::string_view principal, const PublishReport& report, std::uint64_t bytes) noexcept;
  [[nodiscard]] BrokerStatistics statistics();
  /// Routes, guests and outboxes go, segments are unlinked.
  [[nodiscard]] std::vector<Remains> end_everything();
  /// They go from this process and stay for the next broker.
  [[nodiscard]] std::vector<Remains> leave_everything();

 private:
  void take_route_out(RouteId id, shm::RouteState state, bool truncate, Remains& remains);
  static void leave_ended(EndedRoute ended, bool thrown_out, Remains& remains);
  void order_ends_of(Guest& guest);
  void end_grace(Guest& guest);
  [[nodiscard]] RouteStatistics statistics_of(RouteId id, Route& route);
  [[nodiscard]] Refusal check(const OutboxOwner& owner, std::string_view topic,
                              std::uint64_t payload_bytes, std::uint64_t now,
                              bool again) noexcept override;
  [[nodiscard]] Refusal judge(const Guest& guest, std::string_view topic,
                              std::uint64_t payload_bytes, std::uint64_t now, bool again) noexcept;
  void tell_once(Guest& guest, Refusal refusal, std::string_view topic,
                 std::uint64_t payload_bytes) noexcept;
  void published(const OutboxOwner& owner, const PublishReport& report,
                 std::uint64_t bytes) noexcept override;

  PublishRates publish_rates_;
  GuestId next_guest_ = 1;
};

}  // namespace fairlead::broker
