// Routes behind a Delivery, under each of the four drivers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/snapshot_guard.hpp>

#include "delivery/delivery.hpp"
#include "support/route_driver.hpp"

namespace fairlead::test {

inline constexpr std::uint64_t kAll = 1'000'000'000;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// One subscription: the broker's route and the guest's end.
struct TestRoute {
  std::unique_ptr<RouteEnds> ends;
  broker::RouteId id = 0;
  broker::Route* route = nullptr;

  [[nodiscard]] DrainResult drain(std::uint64_t byte_budget = kAll, std::uint64_t most = kAll) {
    return ends->guest().drain(byte_budget, most);
  }
  /// Takes what fits, gives it back at once.
  std::vector<TakenMessage> take_all(std::uint64_t byte_budget = kAll, std::uint64_t most = kAll) {
    DrainResult result = drain(byte_budget, most);
    if (result.outcome == shm::RouteReader::Outcome::ok) ends->guest().release(result.batch);
    ended = result.ended;
    return std::move(result.messages);
  }
  [[nodiscard]] const shm::RouteCounters& counters() const { return ends->header().counters; }
  [[nodiscard]] std::uint64_t queued() const { return route->writer().queued(); }
  [[nodiscard]] std::uint64_t queued_bytes() const { return route->writer().queued_bytes(); }

  shm::RouteReader::EndedLoss ended;  // of the newest take_all()
};

class RuleTest : public testing::TestWithParam<DriverKind> {
 protected:
  using Report = broker::PublishReport;
  using Refusal = shm::Refusal;
  using Policy = shm::EvictionPolicy;
  using Outcome = shm::RouteReader::Outcome;

  RuleTest() : driver_(make_driver(GetParam())) {}
  ~RuleTest() override {
    for (auto& each : routes_) delivery_.remove(each->id);
  }

  TestRoute& add(shm::RouteIdentity identity, std::shared_ptr<const broker::Gate> gate = nullptr) {
    identity.subscription = ++subscriptions_;
    TestRoute& route = *routes_.emplace_back(std::make_unique<TestRoute>());
    route.ends = driver_->attach(identity);
    if (!gate) gate = std::make_shared<broker::Gate>(true);
    route.id = delivery_.add(
        std::make_unique<broker::Route>(route.ends->segment(), route.ends->cursors(), gate, -1));
    route.route = delivery_.find(route.id);
    return route;
  }
  TestRoute& add(Policy policy, std::uint64_t budget, const std::string& pattern = "*",
                 std::uint64_t cap = 8 * 1024 * 1024, std::uint32_t lanes = 8'192) {
    shm::RouteIdentity identity = identity_of(pattern, budget, cap, lanes);
    identity.eviction = policy;
    return add(identity);
  }

  Report publish(std::string_view principal, std::string_view payload,
                 std::string_view topic = "t") {
    ++publishes_;
    return delivery_.publish(principal, topic, bytes_of(payload), 0, publishes_, publishes_ * 100);
  }
  /// A message that costs `bytes`, topic included.
  Report publish_bytes(std::string_view principal, std::uint64_t bytes) {
    return publish(principal, std::string(bytes - 1, 'x'));
  }

  std::unique_ptr<RouteDriver> driver_;
  broker::Delivery delivery_{1};
  std::vector<std::unique_ptr<TestRoute>> routes_;
  std::uint64_t subscriptions_ = 0;
  std::uint64_t publishes_ = 0;
};

inline std::vector<std::string> payloads(const std::vector<TakenMessage>& messages) {
  std::vector<std::string> texts;
  for (const TakenMessage& message : messages) texts.push_back(message.payload);
  return texts;
}
inline std::vector<std::string> principals(const std::vector<TakenMessage>& messages) {
  std::vector<std::string> names;
  for (const TakenMessage& message : messages) names.push_back(message.principal);
  return names;
}

#define FAIRLEAD_UNDER_EVERY_DRIVER(suite)                              \
  INSTANTIATE_TEST_SUITE_P(Drivers, suite, testing::ValuesIn(kDrivers), \
                           testing::PrintToStringParamName())

}  // namespace fairlead::test
