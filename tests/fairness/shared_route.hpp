// A route as broker and guest share it: two segments, a mapping each, a Delivery in front.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/route_reader.hpp>

#include "delivery/delivery.hpp"
#include "support/route_driver.hpp"
#include "support/route_segments.hpp"

namespace fairlead::test {

inline constexpr std::uint64_t kLargestCost = 256 * 1024;  // of a message, its topic included

/// Principals are numbers. Not thread-safe.
class SharedRoute {
 public:
  SharedRoute(const shm::RouteIdentity& identity, shm::Backing backing)
      : segments_(make_route_segments(identity, backing)),
        mapped_(map_for_guest(segments_.for_guest(), segments_.route.segment().size())),
        reader_(mapped_.route.bytes(), mapped_.cursors.bytes(), identity.lane_capacity),
        payload_(kLargestCost, std::byte{'x'}) {
    id_ = delivery_.add(std::make_unique<broker::Route>(segments_.route, segments_.cursors.data(),
                                                        std::make_shared<broker::Gate>(true), -1));
  }
  ~SharedRoute() { delivery_.remove(id_); }
  SharedRoute(const SharedRoute&) = delete;
  SharedRoute& operator=(const SharedRoute&) = delete;

  /// A message that costs `cost` bytes. `number` is the principal's own.
  broker::PublishReport publish(std::uint32_t principal, std::uint64_t cost,
                                std::uint64_t number = 0) {
    return delivery_.publish(std::to_string(principal), "t", std::span(payload_).first(cost - 1),
                             principal, number, 1);
  }
  /// One drain call, given back at once; false when there was nothing.
  template <class Taken>
  bool drain(std::uint64_t byte_budget, std::size_t most, Taken&& taken) {
    views_.clear();
    shm::RouteReader::Ticket ticket = 0;
    const auto outcome = reader_.drain(byte_budget, most, views_, ticket, ended_);
    if (outcome != shm::RouteReader::Outcome::ok) {
      EXPECT_EQ(outcome, shm::RouteReader::Outcome::empty);
      return false;
    }
    for (const shm::MessageView& view : views_) taken(view);
    reader_.release(ticket, views_.size());
    return true;
  }

  [[nodiscard]] broker::Route& route() noexcept { return *delivery_.find(id_); }
  [[nodiscard]] shm::RouteReader& reader() noexcept { return reader_; }
  [[nodiscard]] const shm::RouteCounters& counters() noexcept { return route().header().counters; }
  [[nodiscard]] const shm::RotationState& rotation() const noexcept {
    return reinterpret_cast<const shm::CursorHeader*>(mapped_.cursors.data())->rotation;
  }
  /// Of the newest drain call.
  [[nodiscard]] const shm::RouteReader::EndedLoss& ended() const noexcept { return ended_; }

 private:
  RouteSegments segments_;
  MappedForGuest mapped_;
  shm::RouteReader reader_;
  std::vector<std::byte> payload_;
  broker::Delivery delivery_{1};
  broker::RouteId id_ = 0;
  std::vector<shm::MessageView> views_;
  shm::RouteReader::EndedLoss ended_;
};

inline std::uint32_t principal_of(const shm::MessageView& view) {
  std::uint32_t number = 0;
  const std::string_view name = view.principal();
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

}  // namespace fairlead::test
