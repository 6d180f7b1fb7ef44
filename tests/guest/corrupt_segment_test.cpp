// A guest reads what a broker wrote, and does not fall over what no honest broker would write.
#include <cstring>
#include <random>

#include <fairlead/shm/layout/record_layout.hpp>

#include "guest/guest_fixture.hpp"

namespace fairlead::guest {
namespace {

/// Reads every byte that the batch claims to hold.
std::uint64_t read_all(const Batch& batch) {
  std::uint64_t sum = 0;
  for (const Message& message : batch) {
    for (const char c : message.topic()) sum += static_cast<unsigned char>(c);
    for (const char c : message.principal()) sum += static_cast<unsigned char>(c);
    for (const std::byte byte : message.payload()) sum += static_cast<std::uint64_t>(byte);
  }
  return sum;
}

/// Everything that a guest can do with a route; what comes out does not matter.
std::uint64_t use_everything(Subscription& subscription) {
  std::uint64_t sum = 0;
  for (int round = 0; round < 8; ++round) {
    const Batch batch = round % 2 == 0 ? subscription.drain() : subscription.take();
    sum += read_all(batch) + batch.ended_loss().messages;
    if (batch.empty()) continue;
    if (const auto kept = subscription.keep(batch.front())) sum += kept->message().sequence();
  }
  sum += static_cast<std::uint64_t>(subscription.wait(std::chrono::nanoseconds(0)));
  sum += subscription.pattern().size() + static_cast<std::uint64_t>(subscription.state());
  return sum;
}

class Scribble {
 public:
  explicit Scribble(std::uint64_t seed) : random_(seed) {}

  void publish(FakeRoute& route) {
    for (std::uint64_t i = below(40); i > 0; --i) {
      route.publish("p" + std::to_string(below(5)), "a.b", std::string(below(600), 'x'));
    }
  }

  /// Overwrites some words among the first `bytes` of the segment, but for its fixed header.
  void overwrite(FakeRoute& route, std::uint64_t bytes) {
    auto* base = reinterpret_cast<std::byte*>(&route.writer().header());
    for (std::uint64_t i = 1 + below(8); i > 0; --i) {
      const std::uint64_t width = std::uint64_t{1} << below(4);
      const std::uint64_t offset =
          sizeof(shm::SegmentHeader) + below(bytes - sizeof(shm::SegmentHeader) - 8);
      const std::uint64_t value = interesting();
      std::memcpy(base + offset / width * width, &value, width);
    }
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::uint64_t interesting() {
    constexpr std::uint64_t kValues[] = {0,       1,          255,        256,
                                         0x7fff,  0xffff,     0x7fffffff, 0xffffffff,
                                         1 << 20, ~0ULL >> 1, ~0ULL,      16 * 1024};
    return below(3) == 0 ? random_() : kValues[below(std::size(kValues))];
  }

  std::mt19937_64 random_;
};

class CorruptSegment : public testing::TestWithParam<std::uint64_t> {};

// The scribbling stands for a broker of another build, bad memory, or one that was taken over. Only
// `committed_bytes` is believed within a named segment; this one is sealed, so all of it is there.
TEST_P(CorruptSegment, costs_the_guest_its_messages_and_nothing_else) {
  std::uint64_t sum = 0;
  FakeBroker broker;
  broker.set_route_options({.cap_bytes = 256 * 1024});
  Guest guest = attach_to(broker);
  for (std::uint64_t round = 0; round < 100; ++round) {
    Subscription subscription = guest.subscribe("a.*");
    FakeRoute& route = broker.route(round);
    Scribble scribble(GetParam() * 1'000 + round);
    scribble.publish(route);
    if (round % 2 == 0) sum += read_all(subscription.take());
    // The header with the activation log, or what is near the lanes and their chunks.
    scribble.overwrite(route, round % 3 == 0 ? sizeof(shm::RouteHeader) : 96 * 1024);
    sum += use_everything(subscription);
  }
  EXPECT_GE(sum, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CorruptSegment, testing::Range<std::uint64_t>(0, 20));

TEST(CorruptSegmentDirected, a_record_that_claims_more_than_the_mapping_is_corrupt) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  // Finds the record by its kind and its first count.
  const auto mapping = attached.subscription.mapping();
  auto* base = reinterpret_cast<std::byte*>(&attached.route().writer().header());
  for (std::uint64_t offset = shm::kRouteArenaOffset; offset < mapping.size(); offset += 16) {
    shm::RecordHeader record{};
    std::memcpy(&record, base + offset, sizeof record);
    if (record.kind != shm::RecordKind::message || record.payload_bytes != 1) continue;
    record.payload_bytes = 0xffff'0000;
    record.record_bytes = 0xffff'fff0;
    std::memcpy(base + offset, &record, sizeof record);
    break;
  }
  EXPECT_EQ(attached.subscription.drain().outcome(), DrainOutcome::corrupt);
}

}  // namespace
}  // namespace fairlead::guest
