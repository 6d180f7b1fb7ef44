// A broker for which one allocation fails, whichever it is: whoever asked is told or let go, and
// everybody else is served as before.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "no_memory/failing_allocation.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

using broker::PublishReport;
using shm::Refusal;

constexpr std::uint64_t kMostAllocations = 2'000;
const std::string kLongTopic = "a_topic.that_is.longer_than.a_short_string_of_the_library";

struct Bystander {
  explicit Bystander(TestBroker& owner) : broker(owner), guest(owner.guest("bystander")) {
    route = guest->subscribe("bystander");
    outbox = guest->open_outbox();
  }
  void expect_service() {
    EXPECT_EQ(guest->publish(*outbox, "bystander", "x").taken.load(), 1U);
    EXPECT_EQ(broker->publish("host", "bystander", "y").taken, 1U);
    EXPECT_EQ(route->payloads(), std::vector<std::string>({"x", "y"}));
  }
  TestBroker& broker;
  std::unique_ptr<RawGuest> guest;
  std::unique_ptr<RawRoute> route;
  std::unique_ptr<RawOutbox> outbox;
};

// What the broker's thread does for `request` runs into every allocation once.
template <class Request>
void starve_the_service_thread(Request&& request) {
  TestBroker broker;
  Bystander bystander(broker);
  for (std::uint64_t number = 0;; ++number) {
    ASSERT_LT(number, kMostAllocations);
    auto guest = broker.guest("alice");
    bool failed = false;
    {
      const FailingAllocation starved(number, Whose::other_threads);
      request(*guest);
      bystander.expect_service();  // behind it: all of the above is done
      failed = starved.failed();
    }
    guest->leave();
    ASSERT_FALSE(testing::Test::HasFailure()) << "allocation " << number;
    if (!failed) break;
  }
  EXPECT_TRUE(broker.wait_until([](const auto& all) { return all.guests.size() == 1; }));
  EXPECT_EQ(broker->statistics().routes.size(), 1U);
  bystander.expect_service();
}

TEST(StarvedBroker, a_subscription_harms_nobody_whatever_allocation_fails) {
  starve_the_service_thread(
      [](RawGuest& guest) { guest.send(guest.subscribe_packet(kLongTopic)); });
}

TEST(StarvedBroker, an_outbox_harms_nobody_whatever_allocation_fails) {
  starve_the_service_thread([](RawGuest& guest) {
    guest.send(guest.packet<shm::control::OpenOutbox>(shm::control::Kind::open_outbox));
  });
}

TEST(StarvedBroker, R06_a_publish_is_acknowledged_as_taken_or_as_refused_for_no_memory) {
  TestBroker broker;
  const auto reader = broker.guest("reader");
  const auto route = reader->subscribe("*");
  const auto guest = broker.guest("a_principal_with_a_name_that_is_long");
  const auto outbox = guest->open_outbox();
  for (std::uint64_t number = 0;; ++number) {
    ASSERT_LT(number, kMostAllocations);
    const FailingAllocation starved(number, Whose::other_threads);
    const shm::Receipt& receipt = guest->publish(*outbox, kLongTopic, "x");
    const std::uint64_t taken = receipt.taken.load();
    if (taken == 0) {
      EXPECT_EQ(receipt.first_refusal.load(), Refusal::no_memory) << number;
    }
    EXPECT_EQ(route->payloads().size(), taken) << number;
    ASSERT_FALSE(HasFailure());
    if (!starved.failed()) break;
  }
}

TEST(StarvedBroker, a_host_publish_is_refused_with_no_memory_or_taken) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  for (std::uint64_t number = 0;; ++number) {
    ASSERT_LT(number, kMostAllocations);
    const auto route = guest->subscribe("*");
    PublishReport report;
    bool failed = false;
    {
      const FailingAllocation starved(number);
      report = broker->publish("a_principal_with_a_name_that_is_long", kLongTopic, "first");
      failed = starved.failed();
    }
    if (report.taken == 0) {
      EXPECT_EQ(report.reason, Refusal::no_memory) << number;
    }
    EXPECT_EQ(broker->publish("bob", "t", "second").taken, 1U);
    const std::vector<std::string> both{"first", "second"};
    const std::vector<std::string> one{"second"};
    EXPECT_EQ(route->payloads(), report.taken == 1 ? both : one) << number;
    guest->send([&] {
      auto packet = guest->packet<shm::control::Unsubscribe>(shm::control::Kind::unsubscribe);
      packet.subscription = route->answer.subscription;
      return packet;
    }());
    guest->done();
    if (!failed) break;
  }
}

TEST(StarvedBroker, a_loan_is_taken_or_says_no_memory) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  const auto route = guest->subscribe("*");
  for (std::uint64_t number = 0;; ++number) {
    ASSERT_LT(number, kMostAllocations);
    // A principal of its own: the lane is made while the loan is committed.
    broker::Loan loan = broker->loan("a_principal_number_" + std::to_string(number), kLongTopic, 5);
    std::memcpy(loan.bytes().data(), "first", 5);
    PublishReport report;
    bool failed = false;
    {
      const FailingAllocation starved(number);
      report = loan.commit();
      failed = starved.failed();
    }
    if (report.taken == 0) {
      EXPECT_EQ(report.reason, Refusal::no_memory) << number;
    }
    EXPECT_EQ(route->payloads().size(), report.taken) << number;
    EXPECT_EQ(broker->publish("bob", "t", "second").taken, 1U);
    EXPECT_EQ(route->payloads(), std::vector<std::string>({"second"}));
    if (!failed) break;
  }
}

}  // namespace
}  // namespace fairlead::test
