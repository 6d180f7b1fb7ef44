// One subscription: who is admitted, what fits, who must go, and the lanes of its principals.
// Rules R06, R07, R09, R10, R12, R13, R15 to R22, R29, R30.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/growable_memory.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/route_writer.hpp>

#include "delivery/eviction.hpp"
#include "delivery/gate.hpp"
#include "delivery/in_flight.hpp"
#include "delivery/known_pushes.hpp"

namespace fairlead::broker {

// What one route did with one message.
struct PushOutcome {
  shm::Refusal refusal = shm::Refusal::none;  // none = taken
  std::uint32_t evicted = 0;                  // messages that went to make room
  [[nodiscard]] bool taken() const noexcept { return refusal == shm::Refusal::none; }
};

// Not thread-safe; the broker's mutex guards it. No call waits or throws (memory exhaustion is a
// refusal), except the constructor.
class Route {
 public:
  // `segment` was formatted with shm::format_route and `cursors` with shm::format_cursors; both and
  // `gate` outlive the route. `wake_descriptor`: the broker's end of the guest's wake-up socket, or
  // -1.
  Route(shm::GrowableMemory& segment, std::byte* cursors, std::shared_ptr<const Gate> gate,
        int wake_descriptor);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  [[nodiscard]] bool admits(std::string_view principal, std::uint64_t sequence) const noexcept;
  [[nodiscard]] const std::shared_ptr<const Gate>& gate() const noexcept { return gate_; }

  // Whose lanes must stay when they are empty; outlives the route.
  void watch(const InFlight& in_flight) noexcept { in_flight_ = &in_flight; }

  // R34: what earlier epochs pushed. Is a message among that?
  [[nodiscard]] KnownPushes& known() noexcept { return known_; }
  [[nodiscard]] bool knows(const shm::MessageStamp& stamp) const noexcept {
    return known_.cover(stamp.publisher, stamp.publish_number);
  }
  void count_duplicate() noexcept { writer_.count_duplicate(); }
  // Writes known() into the segment for the broker after this one. False without memory for it.
  [[nodiscard]] bool carry_known() { return writer_.carry(known_.marks()); }
  // Of a route that goes on from an earlier epoch, before its guest takes anything: a principal
  // whose next message tells `lost` (the aggregate, if it has no room for a lane or one already),
  // and a loss that no message tells.
  void begin_after(std::string_view principal, const shm::RouteWriter::Loss& lost);
  void add_loss(const shm::RouteWriter::Loss& loss, shm::LossReason reason) noexcept {
    writer_.add_aggregate_loss(loss, reason);
  }
  // The content is there: the guest may begin (RouteState::filling to open).
  void open() noexcept;

  // The message becomes visible; call move_doorbell(), a seq_cst fence and settle() after a group
  // of pushes. The caller asked admits() before.
  PushOutcome push(std::string_view principal, const shm::MessageStamp& stamp,
                   std::string_view topic, std::span<const std::byte> payload) noexcept;

  // Whether a push of that cost would be refused with `full` (policy reject, R21): worth waiting
  // for.
  [[nodiscard]] bool full_for(std::string_view principal, std::uint64_t cost) noexcept;

  // A loan: room in this route's segment, not visible to anyone until commit() (or cancel()).
  [[nodiscard]] std::optional<shm::RouteWriter::Reservation> reserve(
      std::string_view principal, std::uint64_t payload_bytes, std::uint64_t topic_bytes) noexcept;
  void cancel(const shm::RouteWriter::Reservation& loan) noexcept { writer_.cancel(loan); }
  PushOutcome commit(std::string_view principal, const shm::RouteWriter::Reservation& loan,
                     const shm::MessageStamp& stamp, std::string_view topic) noexcept;

  void move_doorbell() noexcept { writer_.move_doorbell(); }
  void settle() noexcept;

  // How many messages the guest may keep beyond its batches (R22).
  void limit_holds(std::uint32_t slots) noexcept { writer_.limit_holds(slots); }
  // Looks at everything the guest has reported, gives back lanes and memory. Bounded work.
  void maintain() noexcept;
  // No more messages; the guest may drain what is there.
  void close(shm::RouteState state) noexcept;

  [[nodiscard]] const shm::RouteIdentity& identity() const noexcept { return identity_; }
  [[nodiscard]] bool poisoned() const noexcept { return writer_.poisoned(); }
  [[nodiscard]] const shm::RouteWriter& writer() const noexcept { return writer_; }
  [[nodiscard]] shm::RouteHeader& header() noexcept { return writer_.header(); }

 private:
  PushOutcome refuse(shm::Refusal reason, std::optional<shm::Lane> lane,
                     std::uint32_t evicted) noexcept;
  [[nodiscard]] shm::Refusal make_room(std::uint64_t cost, std::optional<shm::Lane> arriving,
                                       std::uint32_t& evicted);
  [[nodiscard]] shm::Refusal make_lane(std::string_view principal, std::optional<shm::Lane>& lane,
                                       std::uint64_t cost, std::uint32_t& evicted);
  [[nodiscard]] shm::Refusal place(std::string_view principal, std::uint64_t cost,
                                   std::optional<shm::Lane>& lane, std::uint32_t& evicted);
  [[nodiscard]] bool evict_one(std::optional<shm::Lane> arriving, std::uint64_t cost,
                               shm::LossReason reason, std::uint32_t& evicted);
  [[nodiscard]] bool evict_from(shm::Lane lane, std::optional<shm::Lane> keep,
                                shm::LossReason reason, std::uint32_t& evicted);
  [[nodiscard]] PushOutcome append(shm::Lane lane, const shm::MessageStamp& stamp,
                                   std::string_view topic, std::span<const std::byte> payload,
                                   std::uint32_t evicted);
  [[nodiscard]] bool make_memory(std::optional<shm::Lane> arriving, std::uint64_t cost,
                                 std::uint32_t& evicted);
  [[nodiscard]] shm::Refusal memory_refusal() const noexcept;
  void absorb_some(std::optional<shm::Lane> keep);
  void earn_report_credit() noexcept;
  void begin_looking() noexcept;
  template <class Enough>
  bool absorb_reports(std::optional<shm::Lane> keep, Enough&& enough);
  bool look(shm::Lane lane, std::optional<shm::Lane> keep);
  void abandon_if_empty(std::optional<shm::Lane> lane) noexcept;
  bool give_back(shm::Lane lane);
  void give_back_postponed(std::optional<shm::Lane> keep);
  void signal_end() noexcept;
  [[nodiscard]] std::optional<shm::Lane> find(std::string_view principal) const noexcept;
  void pushed(shm::Lane lane, const shm::MessageStamp& stamp);

  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };

  shm::RouteWriter writer_;
  shm::RouteIdentity identity_;  // private copy
  std::string admitted_;
  std::shared_ptr<const Gate> gate_;
  std::unique_ptr<Eviction> eviction_;
  std::unordered_map<std::string, shm::Lane, NameHash, std::equal_to<>> lanes_;
  std::vector<shm::LossReason> loss_reasons_;  // by lane: of its newest eviction
  std::vector<shm::Lane> postponed_;           // empty, with a message in flight
  std::vector<bool> is_postponed_;             // by lane: it is among those
  const InFlight* in_flight_ = nullptr;
  KnownPushes known_;
  int wake_descriptor_;
  std::uint64_t report_credit_ = shm::kMaximumFruitlessReports;
  std::uint32_t reports_left_ = 0;  // in this operation
  bool closed_ = false;
};

}  // namespace fairlead::broker
