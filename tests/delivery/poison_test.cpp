// A head that makes no sense closes its own route, says so, and concerns nobody else.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "guarded_route.hpp"

namespace fairlead::test {
namespace {

using shm::EvictionPolicy;
using shm::Refusal;
using shm::RouteState;
using Outcome = shm::RouteReader::Outcome;

shm::RouteIdentity small(EvictionPolicy policy = EvictionPolicy::oldest_head) {
  shm::RouteIdentity identity = identity_of("*", 1'000, 256 * 1024, 64);
  identity.eviction = policy;
  return identity;
}

struct Nonsense {
  const char* name;
  std::uint64_t (*head)(std::uint64_t honest, std::uint64_t tail);
};
constexpr Nonsense kNonsense[] = {
    {"backwards", [](std::uint64_t honest, std::uint64_t) { return honest - 1; }},
    {"zero", [](std::uint64_t, std::uint64_t) { return std::uint64_t{0}; }},
    {"beyond_the_tail", [](std::uint64_t, std::uint64_t tail) { return tail + 1; }},
    {"far_beyond", [](std::uint64_t, std::uint64_t tail) { return tail + 1'000'000; }},
    {"negative", [](std::uint64_t, std::uint64_t) { return ~std::uint64_t{0}; }},
    {"sign", [](std::uint64_t honest, std::uint64_t) { return honest | (std::uint64_t{1} << 63); }},
};

class Poison : public testing::TestWithParam<Nonsense> {};
INSTANTIATE_TEST_SUITE_P(Heads, Poison, testing::ValuesIn(kNonsense),
                         [](const auto& each) { return std::string(each.param.name); });

// Each way in which the broker meets the head.
struct Meeting {
  const char* name;
  std::function<void(GuardedRoute&)> happens;
};
const std::vector<Meeting>& meetings() {
  static const std::vector<Meeting> kMeetings = {
      {"publish into that lane", [](GuardedRoute& route) { route.push("p", "x"); }},
      {"eviction for another lane", [](GuardedRoute& route) { route.push_bytes("q", 990); }},
      {"the guest's report",
       [](GuardedRoute& route) {
         route.cursors().report_log[route.cursors().reports % shm::kDrainReportEntries] = 0;
         ++route.cursors().reports;
         route.route().maintain();
       }},
      {"a sweep over all lanes",
       [](GuardedRoute& route) {
         route.cursors().reports += shm::kDrainReportEntries + 1;
         route.route().maintain();
       }},
  };
  return kMeetings;
}

TEST_P(Poison, a_head_that_makes_no_sense_poisons_its_route_alone) {
  for (const Meeting& meeting : meetings()) {
    SCOPED_TRACE(meeting.name);
    GuardedRoute victim(small());
    GuardedRoute other(small());
    for (GuardedRoute* route : {&victim, &other}) {
      for (int each = 0; each < 8; ++each) ASSERT_TRUE(route->push_bytes("p", 100).taken());
      ASSERT_EQ(route->guest().drain(0, 1).outcome, Outcome::ok);
      ASSERT_EQ(route->guest().drain(0, 1).outcome, Outcome::ok);
      route->route().maintain();
    }
    const std::uint64_t published = victim.counters().published;
    victim.lane_cursors()[0].head = GetParam().head(2, 8);
    meeting.happens(victim);
    EXPECT_TRUE(victim.route().poisoned());
    EXPECT_EQ(victim.route().header().state.load(), RouteState::poisoned);
    EXPECT_EQ(victim.push("p", "x").refusal, Refusal::route_closed);
    EXPECT_EQ(victim.push("new", "x").refusal, Refusal::route_closed);
    EXPECT_FALSE(victim.route().full_for("p", 10));
    EXPECT_LE(victim.counters().published.load(), published + 1);
    victim.route().maintain();
    EXPECT_EQ(other.push_bytes("p", 100).refusal, Refusal::none);
    EXPECT_FALSE(other.route().poisoned());
  }
}

TEST(PoisonedRoute, its_guest_is_told) {
  GuardedRoute route(small());
  route.push("p", "x");
  route.lane_cursors()[0].head = 5;
  route.push("p", "y");
  route.lane_cursors()[0].head = 1;  // nothing is left to take
  EXPECT_EQ(route.guest().drain(1'000, 10).outcome, Outcome::poisoned);
}

TEST(PoisonedRoute, sound_heads_never_poison) {
  // The guest may move a head forward without having read anything: the messages count as taken.
  GuardedRoute route(small());
  for (int each = 0; each < 5; ++each) route.push_bytes("p", 100);
  route.lane_cursors()[0].head = 5;
  EXPECT_TRUE(route.push_bytes("p", 1'000).taken());
  EXPECT_FALSE(route.route().poisoned());
  EXPECT_EQ(route.counters().delivered.load(), 5U);
  EXPECT_EQ(route.counters().evicted.load(), 0U);
}

// A guest that writes anything anywhere into its cursors, at any time between two operations.
class Scribbler {
 public:
  explicit Scribbler(std::uint32_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::uint64_t value() {
    switch (below(6)) {
      case 0:
        return 0;
      case 1:
        return ~std::uint64_t{0};
      case 2:
        return below(300);
      case 3:
        return below(1'000'000);
      case 4:
        return std::uint64_t{1} << below(64);
      default:
        return random_();
    }
  }
  void scribble(GuardedRoute& route, std::uint64_t lanes) {
    shm::CursorHeader& cursors = route.cursors();
    switch (below(8)) {
      case 0:
        cursors.reports = value();
        break;
      case 1:
        cursors.report_log[below(shm::kDrainReportEntries)] = static_cast<std::uint32_t>(value());
        ++cursors.reports;
        break;
      case 2:
        cursors.tickets[below(shm::kTicketSlots)].batch = value();
        break;
      case 3:
        cursors.holds[below(shm::kHoldSlots)] = value();
        break;
      case 4: {  // claims without reading: as good a head as any
        const auto lane = static_cast<shm::Lane>(below(lanes));
        if (!route.route().writer().in_use(lane)) break;
        std::atomic<std::uint64_t>& head = route.lane_cursors()[lane].head;
        head += below(route.route().writer().tail(lane) - head + 1);
        break;
      }
      case 5:
        if (below(200) == 0) route.lane_cursors()[below(lanes)].head = value();
        break;
      default: {
        const auto bytes = route.cursor_bytes();
        const std::uint64_t word = value();
        const std::uint64_t at = below(bytes.size() / 8) * 8;
        const bool is_head =
            at >= shm::kCursorLanesOffset && at % sizeof(shm::LaneCursor) == 0 && below(100) != 0;
        if (!is_head) std::memcpy(bytes.data() + at, &word, sizeof word);
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

void operate(GuardedRoute& route, Scribbler& random) {
  const std::string name = "p" + std::to_string(random.below(100));
  switch (random.below(10)) {
    case 0:
      return route.route().maintain();
    case 1:
      (void)route.route().full_for(name, random.below(2'000));
      return;
    case 2: {
      const auto loan = route.route().reserve(name, random.below(1'000), 1);
      if (!loan) return;
      if (random.below(2) == 0) return route.route().cancel(*loan);
      route.route().commit(name, *loan, {random.below(1'000'000), 1, 1, 1}, "t");
      return;
    }
    default:
      route.push_bytes(name, 1 + random.below(random.below(20) == 0 ? 3'000 : 100));
  }
}

TEST(HostileCursors, whatever_a_guest_writes_the_broker_keeps_its_sums_and_to_its_memory) {
  std::uint64_t poisoned = 0;
  std::uint64_t operations = 0;
  const std::uint32_t rounds = FAIRLEAD_SANITIZED ? 50 : 400;
  for (std::uint32_t seed = 1; seed <= rounds; ++seed) {
    shm::RouteIdentity identity = identity_of("*", 2'500, 192 * 1024, seed % 3 == 0 ? 64 : 128);
    identity.eviction = static_cast<EvictionPolicy>(1 + seed % 3);
    GuardedRoute route(identity);
    Scribbler random(seed);
    for (int each = 0; each < 400 && !route.route().poisoned(); ++each, ++operations) {
      operate(route, random);
      for (std::uint64_t words = random.below(4); words > 0; --words)
        random.scribble(route, identity.lane_capacity);
      const shm::RouteCounters& counters = route.counters();
      ASSERT_EQ(counters.published.load(),
                counters.delivered.load() + counters.queued.load() + counters.evicted.load());
      ASSERT_LE(counters.queued_bytes.load(), identity.budget_bytes);
      ASSERT_LE(counters.arena_used_bytes.load(), identity.cap_bytes);
      ASSERT_LE(counters.held_messages.load(), counters.delivered.load());
      ASSERT_LE(route.memory().granted(), route_segment_bytes(identity));
    }
    if (route.route().poisoned()) ++poisoned;
  }
  // Both kinds of lives were seen.
  EXPECT_GT(poisoned, rounds / 20);
  EXPECT_LT(poisoned, rounds * 19 / 20);
  EXPECT_GT(operations, rounds * 50U);
}

}  // namespace
}  // namespace fairlead::test
