// A guest that publishes to a broker that takes when the test says so.
#pragma once

#include <string_view>

#include "guest/guest_fixture.hpp"

namespace fairlead::guest {

using test::FakeOutbox;

inline constexpr PublishOptions kAsynchronous{.wait_for_receipt = std::chrono::nanoseconds(0)};

struct Publishing {
  explicit Publishing(std::uint64_t ring_bytes = 4'096)
      : guest(attach_to(broker)), publisher(guest.publisher({.ring_bytes = ring_bytes})) {}

  FakeOutbox& outbox() { return broker.outbox(); }
  PublishOutcome publish(std::string_view payload, const PublishOptions& options = kAsynchronous) {
    return publisher.publish("a.b", payload, options);
  }

  FakeBroker broker;
  Guest guest;
  Publisher publisher;
};

}  // namespace fairlead::guest
