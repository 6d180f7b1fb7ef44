// A broker's delivery and outbox service between honest and hostile guests. Hostile ones write what
// they like into what they may write, at any moment; honest ones check all that they get.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attach/outbox_memory.hpp"
#include "honest_guest.hpp"
#include "outbox/outbox_service.hpp"
#include "route_memory.hpp"
#include "tampering.hpp"

namespace fairlead::hostile {

/// All calls throw Broken when something does not hold that no guest may break.
class Stage final : broker::OutboxSupervisor {
 public:
  explicit Stage(Choices& choices);
  ~Stage() override;

  /// One operation of the broker or of a guest, and a look at everything.
  void step();
  /// Everybody has got everything.
  void finish();

  struct Tally {
    std::uint64_t loads = 0;           // of guest-written words
    WordCounts by_word{};              // the same
    std::uint64_t poisoned = 0;        // routes
    std::uint64_t violated = 0;        // outboxes
    std::uint64_t evicted = 0;         // from hostile routes
    std::uint64_t delivered = 0;       // to honest routes
    std::uint64_t of_the_hostile = 0;  // of those, published by the hostile guest
  };
  [[nodiscard]] Tally tally() const;

 private:
  struct HostileRoute {
    explicit HostileRoute(const RouteSettings& settings) : memory(settings) {}
    RouteMemory memory;
    broker::RouteId id = 0;
    broker::Route* route = nullptr;
    std::uint64_t takes_one_in = 1;  // how busy its guest is
  };

  void operate();
  // The broker.
  void publish();
  void loan();
  void look();
  void serve();
  void replace_poisoned();
  // Guests.
  void scribble();
  void publish_as_honest_guest();
  void publish_as_hostile_guest();
  void check();

  [[nodiscard]] std::unique_ptr<HostileRoute> make_hostile(shm::EvictionPolicy policy);
  std::span<std::byte> add_outbox(broker::GuestId guest, const char* principal, std::uint64_t id);
  void add_hostile_outbox();
  [[nodiscard]] std::string some_principal();
  [[nodiscard]] HostileRoute& some_hostile() { return *hostile_[choices_.below(hostile_.size())]; }
  [[nodiscard]] std::uint64_t consumed_of(broker::GuestId guest) const;

  broker::Refusal check(const broker::OutboxOwner& owner, std::string_view topic,
                        std::uint64_t payload_bytes, std::uint64_t now,
                        bool again) noexcept override;
  void published(const broker::OutboxOwner& owner, const broker::PublishReport& report,
                 std::uint64_t bytes) noexcept override;

  Choices& choices_;
  RandomTampering tampering_;
  broker::Delivery delivery_{1};
  broker::OutboxService service_;
  broker::SegmentStamp stamp_{"stage", 1};
  std::vector<std::unique_ptr<HonestGuest>> honest_;
  std::vector<std::unique_ptr<HostileRoute>> hostile_;
  OutboxWriter honest_writer_;
  OutboxWriter hostile_writer_;
  std::span<std::byte> hostile_outbox_;
  broker::GuestId hostile_guest_ = 0;
  std::uint64_t now_ = 1'000'000'000;
  std::uint64_t acknowledged_ = 0;  // of the honest guest
  bool acknowledged_wrongly_ = false;
  Tally tally_;
};

}  // namespace fairlead::hostile
