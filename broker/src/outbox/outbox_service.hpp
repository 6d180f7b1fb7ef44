// Takes messages from guests' outboxes and delivers them, so that no publisher delays another by
// more than one round: deficit round robin over publishing principals (R33).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fairlead/shm/deficit_round_robin.hpp>

#include "delivery/delivery.hpp"
#include "outbox/outbox.hpp"

namespace fairlead::broker {

/// Bytes that a principal may deliver in one visit. Small: it is what one can delay another by.
inline constexpr std::uint64_t kPublishQuantumBytes = 16 * 1024;
/// What a message costs in one route at least: its record's header is work, too.
inline constexpr std::uint64_t kMinimumPublishCost = 64;

// What the service asks of the broker around it.
class OutboxSupervisor {
 public:
  OutboxSupervisor() = default;
  OutboxSupervisor(const OutboxSupervisor&) = delete;
  OutboxSupervisor& operator=(const OutboxSupervisor&) = delete;
  virtual ~OutboxSupervisor() = default;

  /// Whether the policy lets this message through (permission, rate); `none` if it does. One that
  /// comes `again` after a restart was charged before.
  [[nodiscard]] virtual Refusal check(const OutboxOwner& owner, std::string_view topic,
                                      std::uint64_t payload_bytes, std::uint64_t now,
                                      bool again) noexcept = 0;
  /// A publish has come to an end and is acknowledged.
  virtual void published(const OutboxOwner& owner, const PublishReport& report,
                         std::uint64_t bytes) noexcept = 0;
};

struct OutboxTiming {
  std::uint64_t spin_nanoseconds = 50'000;          // an outbox stays polled that long when empty
  std::uint64_t first_pause_nanoseconds = 100'000;  // before a full route is asked again
  std::uint64_t longest_pause_nanoseconds = 4'000'000;
  // For full routes, whatever the guest asks: other outboxes of its principal wait with it (R09).
  std::uint64_t longest_block_nanoseconds = 60'000'000'000;
};

// Not thread-safe; the broker's mutex guards it. Times are CLOCK_MONOTONIC nanoseconds.
class OutboxService {
 public:
  OutboxService(Delivery& delivery, OutboxSupervisor& supervisor, OutboxTiming timing,
                std::function<std::uint64_t()> clock);

  /// Throws Error(limit) when 65,472 principals publish already.
  void add(std::unique_ptr<Outbox> outbox);
  /// What it had not acknowledged is dropped (R34). The segments go to the caller.
  std::unique_ptr<Outbox> remove(GuestId guest);
  [[nodiscard]] const Outbox* find(GuestId guest) const noexcept;

  void set_spin(std::uint64_t nanoseconds) noexcept { timing_.spin_nanoseconds = nanoseconds; }

  /// The guest says that there is something in its outbox.
  void kicked(GuestId guest);

  /// Looks at the outboxes that were active just now and at waits that are over.
  void poll();
  /// Serves up to `visits` visits of the rotation. False when nobody is in it any more.
  bool serve(std::size_t visits);

  /// Until when the service thread may sleep: 0 = not at all, nothing = until a kick comes. Having
  /// called it after poll() means that every outbox that is not polled knows to send kicks.
  [[nodiscard]] std::optional<std::uint64_t> next_look() const noexcept;

  struct Violation {
    GuestId guest = 0;
    std::string_view reason;
  };
  /// Guests whose outboxes made no sense since the last call; they are not served any more.
  [[nodiscard]] std::vector<Violation> take_violations() { return std::exchange(violations_, {}); }

  /// For a publish of the embedding host as the same principal: delivers the rest of the message in
  /// progress first. What is left waits for full routes; nothing if all is done.
  [[nodiscard]] const FanOut* finish_paused(std::string_view principal);
  /// All messages in progress, as far as full routes let them.
  void finish_all();
  /// While held, no further message of that principal is begun: the host's own is in progress.
  void hold(std::string_view principal);
  void release(std::string_view principal);

 private:
  struct Entries {
    shm::RotationEntry* entries;
    shm::RotationEntry& operator[](std::uint32_t lane) const noexcept { return entries[lane]; }
  };
  using Rotation = shm::DeficitRoundRobin<Entries>;
  enum class Step : std::uint8_t { on, wait, unaffordable };

  [[nodiscard]] Rotation rotation() noexcept;
  Publisher& publisher_of(const std::string& principal);
  void forget_if_unused(Publisher& publisher);
  void make_ready(Outbox& outbox);
  void enter_rotation(Publisher& publisher);
  void leave_rotation(Publisher& publisher);
  [[nodiscard]] bool is_idle_after(Outbox& outbox, std::uint64_t now);
  void wait(Publisher& publisher);
  void end_waits(std::uint64_t now);
  void take_turn(Publisher& publisher);
  [[nodiscard]] bool start_next(Publisher& publisher);
  void start(Publisher& publisher, Outbox& outbox);
  [[nodiscard]] Step step(Publisher& publisher, Rotation& turn);
  PatientFanOut::Progress proceed(Publisher& publisher, std::size_t most_routes,
                                  std::size_t& visited);
  void finish(Publisher& publisher);
  void ring();

  Delivery& delivery_;
  OutboxSupervisor& supervisor_;
  OutboxTiming timing_;
  std::function<std::uint64_t()> clock_;
  std::unordered_map<GuestId, std::unique_ptr<Outbox>> outboxes_;
  std::unordered_map<std::string, std::unique_ptr<Publisher>> publishers_;
  std::unordered_map<std::string, std::size_t> held_;
  std::size_t in_progress_ = 0;    // publishers in the middle of a message
  std::vector<Publisher*> slots_;  // by rotation slot
  std::vector<std::uint32_t> free_slots_;
  std::vector<shm::RotationEntry> entries_;
  shm::RotationState state_{};
  std::vector<Outbox*> hot_;
  std::vector<Outbox*> to_ring_;
  std::vector<Publisher*> waiting_;
  std::vector<Violation> violations_;
};

}  // namespace fairlead::broker
