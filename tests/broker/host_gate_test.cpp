// The embedding host rules a guest's gate (R13).
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

TEST(HostGate, R13_a_gate_that_the_host_retires_admits_nothing_any_more) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  auto packet = guest->subscribe_packet("t");
  packet.staged = 1;
  const auto route = guest->subscribe(packet);
  const std::uint64_t number = broker->statistics().guests.at(0).guest;
  broker->open_gate(number);
  EXPECT_EQ(broker->publish("alice", "t", "while open").taken, 1U);
  broker->retire_gate(number);
  EXPECT_EQ(broker->publish("alice", "t", "too late").matched, 0U);
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"while open"}));
}

TEST(HostGate, a_guest_that_is_not_there_has_none) {
  TestBroker broker;
  expect_error(ErrorCode::not_found, [&] { broker->open_gate(999); });
  expect_error(ErrorCode::not_found, [&] { broker->retire_gate(999); });
}

}  // namespace
}  // namespace fairlead::test
