// The next broker wakes those who sleep on what the dead one left.
#include "restart/returning.hpp"
#include "support/doorbell_sleeper.hpp"

namespace fairlead::test {
namespace {

class Rouse : public Returning {};

TEST_F(Rouse, R34_who_sleeps_on_a_named_route_of_a_dead_broker_is_woken_without_a_ring) {
  auto guest = attach();
  auto packet = guest.guest->subscribe_packet("t");
  packet.backing = shm::control::BackingWish::named;
  const auto route = guest.guest->subscribe(packet);
  ASSERT_TRUE(route);
  DoorbellSleeper sleeper(route->header().doorbell);
  broker_.restart();
  EXPECT_EQ(sleeper.outcome(), shm::DoorbellOutcome::roused);
}

}  // namespace
}  // namespace fairlead::test
