// Publishers, routes and the service between them on the heap, with a clock that stands still.
#pragma once

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/growable_memory.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/route_reader.hpp>

#include "attach/outbox_memory.hpp"
#include "outbox/outbox_service.hpp"

namespace fairlead::broker {

class HeapMemory final : public shm::GrowableMemory {
 public:
  explicit HeapMemory(std::uint64_t bytes)
      : bytes_(bytes), data_(static_cast<std::byte*>(std::aligned_alloc(4'096, bytes))) {
    std::memset(data_, 0, bytes);
  }
  ~HeapMemory() override { std::free(data_); }
  std::byte* data() noexcept override { return data_; }
  std::uint64_t maximum_bytes() const noexcept override { return bytes_; }
  Growth grow_to(std::uint64_t) noexcept override { return Growth::ok; }
  void shrink_to(std::uint64_t) noexcept override {}

 private:
  std::uint64_t bytes_;
  std::byte* data_;
};

struct HeapRoute {
  explicit HeapRoute(std::string_view pattern, std::uint64_t subscription,
                     shm::EvictionPolicy eviction, std::uint64_t budget)
      : memory(shm::kRouteArenaOffset + 256 * 1024), cursors(64 * 1024) {
    shm::RouteIdentity identity{};
    identity.subscription = subscription;
    identity.eviction = eviction;
    identity.admission = shm::AdmissionKind::all;
    identity.budget_bytes = budget;
    identity.cap_bytes = 256 * 1024;
    identity.lane_capacity = 64;
    identity.pattern.assign(pattern);
    shm::SegmentHeader stamp{};
    shm::format_route(memory.data(), identity, stamp);
    shm::format_cursors(cursors.data(), stamp);
  }
  std::vector<std::string> drain() {
    shm::RouteReader reader({memory.data(), memory.maximum_bytes()},
                            {cursors.data(), cursors.maximum_bytes()}, 64);
    std::vector<shm::MessageView> views;
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    std::vector<std::string> texts;
    if (reader.drain(1 << 20, 10'000, views, ticket, ended) != shm::RouteReader::Outcome::ok)
      return texts;
    for (const auto& view : views) texts.emplace_back(view.text());
    reader.release(ticket, views.size());
    return texts;
  }
  HeapMemory memory;
  HeapMemory cursors;
  RouteId id = 0;
};

class Serving : public testing::Test, protected OutboxSupervisor {
 protected:
  Serving()
      : delivery_(1),
        service_(delivery_, *this, {.spin_nanoseconds = 0}, [this] { return now_; }),
        stamp_("test", 1) {}

  Refusal check(const OutboxOwner&, std::string_view, std::uint64_t, std::uint64_t,
                bool) noexcept override {
    return refusal_;
  }
  void published(const OutboxOwner& owner, const PublishReport& report,
                 std::uint64_t) noexcept override {
    order_.push_back(owner.principal);
    reports_.push_back(report);
  }

  void add_routes(std::string_view pattern, int count,
                  shm::EvictionPolicy eviction = shm::EvictionPolicy::oldest_head,
                  std::uint64_t budget = 64 * 1024) {
    for (int index = 0; index < count; ++index) {
      routes_.push_back(std::make_unique<HeapRoute>(pattern, ++subscription_, eviction, budget));
      HeapRoute& route = *routes_.back();
      route.id = delivery_.add(std::make_unique<Route>(route.memory, route.cursors.data(),
                                                       std::make_shared<Gate>(true), -1));
    }
  }
  GuestId add_publisher(std::string_view principal, std::uint64_t ring = 1 << 20) {
    OutboxOwner owner{++guest_, std::string(principal), {}, 1'000 + guest_};
    NewOutbox made = create_outbox(stamp_, owner, ring, shm::Backing::sealed);
    memory_[guest_] = made.outbox->memory.data();
    ring_[guest_] = ring;
    service_.add(std::move(made.outbox));
    return guest_;
  }
  void publish(GuestId guest, std::string_view topic, std::string_view payload,
               std::uint64_t block_until = 0) {
    std::byte* const memory = memory_[guest];
    auto& tail = reinterpret_cast<shm::OutboxHeader*>(memory)->tail;
    const auto bytes = static_cast<std::uint32_t>(
        (sizeof(shm::OutboxRecord) + payload.size() + topic.size() + 15) / 16 * 16);
    const shm::OutboxRecord record{bytes,
                                   shm::OutboxKind::message,
                                   static_cast<std::uint32_t>(payload.size()),
                                   static_cast<std::uint32_t>(topic.size()),
                                   ++numbers_[guest],
                                   block_until};
    std::byte* const at = memory + shm::kOutboxRingOffset + tail.load() % ring_[guest];
    std::memcpy(at, &record, sizeof record);
    std::memcpy(at + sizeof record, payload.data(), payload.size());
    std::memcpy(at + sizeof record + payload.size(), topic.data(), topic.size());
    tail.store(tail.load() + bytes);
    service_.kicked(guest);
  }
  std::uint64_t accepted(GuestId guest) {
    return reinterpret_cast<const shm::ReceiptHeader*>(service_.find(guest)->receipt_memory.data())
        ->accepted_number.load();
  }
  void serve_all() {
    service_.poll();
    for (int turns = 0; service_.serve(1) && turns < 100'000; ++turns) service_.poll();
    service_.poll();
  }

  std::uint64_t now_ = 1'000'000'000;
  Refusal refusal_ = Refusal::none;
  std::vector<std::unique_ptr<HeapRoute>> routes_;
  Delivery delivery_;
  OutboxService service_;
  SegmentStamp stamp_;
  std::map<GuestId, std::byte*> memory_;
  std::map<GuestId, std::uint64_t> ring_;
  std::map<GuestId, std::uint64_t> numbers_;
  std::vector<std::string> order_;
  std::vector<PublishReport> reports_;
  std::uint64_t subscription_ = 0;
  GuestId guest_ = 0;
};

}  // namespace fairlead::broker
