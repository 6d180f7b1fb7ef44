// Dumps while a broker works: every sum that is known must hold, whatever moment was caught.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <fairlead/shm/clock.hpp>

#include "dump/machine_reader.hpp"
#include "segment_directory.hpp"
#include "support/test_broker.hpp"

namespace fairlead::tools::dump {
namespace {

using test::TestBroker;

TEST(DumpLive, R30_every_known_sum_of_a_busy_broker_holds) {
  constexpr int kDumps = 300;
  constexpr int kPrincipals = 500;  // several pages of lanes
  TestBroker broker;
  auto guest = broker.guest("alice");
  const auto all = guest->subscribe("*");
  const auto some = guest->subscribe("t.a");
  std::atomic<bool> stop{false};
  std::thread publisher([&] {
    std::uint64_t number = 0;
    while (!stop.load()) {
      const std::string principal = "p" + std::to_string(number++ % kPrincipals);
      (void)broker->publish(principal, number % 3 == 0 ? "t.a" : "t.b", std::string(200, 'x'));
    }
  });
  std::thread reader([&] {
    while (!stop.load()) (void)all->payloads();
  });
  MachineOptions options;
  options.broker = broker.name();
  int known = 0;
  std::uint64_t newest = 0;
  for (int round = 0; round < kDumps; ++round) {
    options.monotonic_now_ns = shm::monotonic_ns();
    const MachineDump machine = read_machine(options);
    ASSERT_EQ(machine.brokers.size(), 1U);
    for (const SegmentDump& segment : machine.brokers.front().segments) {
      const RouteDump* route = segment.route();
      ASSERT_NE(route, nullptr) << test::verdict_text(segment);
      EXPECT_TRUE(segment.verdict == Verdict::ok || segment.verdict == Verdict::torn)
          << test::verdict_text(segment);
      if (!route->messages.known) continue;
      ++known;
      EXPECT_TRUE(route->messages.holds);
      EXPECT_TRUE(route->bytes.holds);
      newest = std::max(newest, route->messages.published);
    }
  }
  stop.store(true);
  publisher.join();
  reader.join();
  EXPECT_GE(known, kDumps);
  EXPECT_GT(newest, 1'000U);
}

}  // namespace
}  // namespace fairlead::tools::dump
