// A route for which one allocation fails, whichever it is: the message is refused or taken, never
// half; sums hold, no order is broken, and the next publish finds everything in place.
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "delivery/rule_fixture.hpp"
#include "no_memory/failing_allocation.hpp"

namespace fairlead::test {
namespace {

using broker::PublishReport;
using shm::EvictionPolicy;
using shm::Refusal;

class StarvedRoute : public testing::TestWithParam<EvictionPolicy> {
 protected:
  explicit StarvedRoute() : driver_(make_driver(DriverKind::heap)) {}

  void begin(std::uint64_t budget, std::uint64_t cap) {
    shm::RouteIdentity identity = identity_of("*", budget, cap, 64);
    identity.eviction = GetParam();
    identity.subscription = 1;
    ends_ = driver_->attach(identity);
    const auto gate = std::make_shared<broker::Gate>(true);
    route_ = std::make_unique<broker::Route>(ends_->segment(), ends_->cursors(), gate, -1);
  }
  void end() {
    route_.reset();
    ends_.reset();
  }

  Refusal push(const std::string& principal, const std::string& payload) {
    ++sequence_;
    const auto outcome =
        route_->push(principal, {sequence_, sequence_, 0, sequence_}, "t", bytes_of(payload));
    route_->settle();
    return outcome.refusal;
  }
  // R30, and that the sum of what is queued is what the guest can take.
  void expect_sums() {
    const shm::RouteCounters& counters = ends_->header().counters;
    EXPECT_EQ(counters.published.load(),
              counters.delivered.load() + route_->writer().queued() + counters.evicted.load());
  }
  void take(std::uint64_t most) {
    DrainResult result = ends_->guest().drain(kAll, most);
    for (const TakenMessage& message : result.messages) {
      EXPECT_GT(message.sequence, newest_[message.principal]) << "R09";
      newest_[message.principal] = message.sequence;
      ++taken_;
    }
    if (result.outcome == shm::RouteReader::Outcome::ok) ends_->guest().release(result.batch);
  }

  std::unique_ptr<RouteDriver> driver_;
  std::unique_ptr<RouteEnds> ends_;
  std::unique_ptr<broker::Route> route_;
  std::uint64_t sequence_ = 0;
  std::uint64_t taken_ = 0;
  std::map<std::string, std::uint64_t> newest_;
};

TEST_P(StarvedRoute, the_first_message_is_refused_with_no_memory_and_the_next_one_taken) {
  for (std::uint64_t number = 0;; ++number) {
    begin(64 * 1024, 1024 * 1024);
    const std::string name = "a_principal_whose_name_is_too_long_for_a_short_string";
    bool failed = false;
    Refusal refusal = Refusal::none;
    {
      const FailingAllocation starved(number);
      refusal = push(name, "first");
      failed = starved.failed();
    }
    if (refusal != Refusal::none) {
      EXPECT_EQ(refusal, Refusal::no_memory) << number;
    }
    expect_sums();
    EXPECT_EQ(push(name, "second"), Refusal::none) << number;
    expect_sums();
    take(kAll);
    EXPECT_EQ(taken_, refusal == Refusal::none ? 2U : 1U) << number;
    taken_ = 0;
    end();
    if (!failed) break;
    ASSERT_LT(number, 1'000U);
  }
}

TEST_P(StarvedRoute, R09_R30_sums_and_order_hold_whatever_allocation_fails) {
  std::mt19937_64 random(7);
  begin(40'000, 512 * 1024);
  for (int step = 0; step < 20'000; ++step) {
    const std::string principal =
        "a_long_name_of_principal_number." + std::to_string(random() % 90);
    const std::string payload(1 + random() % (step % 16 == 0 ? 30'000 : 300), 'x');
    Refusal refusal = Refusal::none;
    {
      const FailingAllocation starved(random() % 6);
      if (random() % 8 == 0) {
        route_->maintain();
      } else {
        refusal = push(principal, payload);
      }
    }
    if (step % 5 == 0) take(random() % 12);
    if (step % 64 == 0) expect_sums();
    ASSERT_FALSE(route_->poisoned());
    ASSERT_FALSE(HasFailure()) << "step " << step << ", refusal " << static_cast<int>(refusal);
  }
  route_->maintain();
  take(kAll);
  route_->maintain();
  expect_sums();
  EXPECT_EQ(route_->writer().queued(), 0U);
  EXPECT_EQ(route_->writer().queued_bytes(), 0U);
  EXPECT_EQ(taken_, ends_->header().counters.delivered.load());
  end();
}

INSTANTIATE_TEST_SUITE_P(Policies, StarvedRoute,
                         testing::Values(EvictionPolicy::oldest_head, EvictionPolicy::fair_share,
                                         EvictionPolicy::reject),
                         [](const auto& policy) {
                           return "policy" + std::to_string(policy.index);
                         });

}  // namespace
}  // namespace fairlead::test
