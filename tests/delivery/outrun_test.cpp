// The broker evicts while a guest is in the middle of a look: deterministic, in one thread.
#include <signal.h>
#include <sys/mman.h>
#include <gtest/gtest.h>

#include "writer_bench.hpp"

namespace fairlead::test {
namespace {

using shm::Lane;
using shm::LanePosition;
using Outcome = shm::RouteReader::Outcome;

// Two pages of the segment that take turns in being out of bounds: whoever walks through both of
// them is interrupted by `on_fault` once in each, at every walk.
class Tripwire {
 public:
  Tripwire(std::byte* first, std::byte* second, void (*on_fault)(void*), void* context)
      : pages_{first, second}, on_fault_(on_fault), context_(context) {
    instance_ = this;
    struct sigaction action {};
    action.sa_sigaction = &Tripwire::handle;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    ::sigaction(SIGSEGV, &action, &before_);
    arm(0);
  }
  ~Tripwire() {
    for (std::byte* page : pages_) ::mprotect(page, kPage, PROT_READ | PROT_WRITE);
    ::sigaction(SIGSEGV, &before_, nullptr);
    instance_ = nullptr;
  }
  Tripwire(const Tripwire&) = delete;
  Tripwire& operator=(const Tripwire&) = delete;
  [[nodiscard]] int trips() const { return trips_; }

  static constexpr std::size_t kPage = 4096;

 private:
  void arm(std::size_t which) {
    armed_ = which;
    ::mprotect(pages_[which], kPage, PROT_NONE);
    ::mprotect(pages_[1 - which], kPage, PROT_READ | PROT_WRITE);
  }
  static void handle(int, siginfo_t* info, void*) {
    Tripwire& wire = *instance_;
    auto* const at = static_cast<std::byte*>(info->si_addr);
    std::byte* const page = wire.pages_[wire.armed_];
    if (at < page || at >= page + kPage) {  // a fault of its own: let it happen
      ::signal(SIGSEGV, SIG_DFL);
      return;
    }
    wire.arm(1 - wire.armed_);
    ++wire.trips_;
    wire.on_fault_(wire.context_);
  }

  static inline Tripwire* instance_ = nullptr;
  std::byte* pages_[2];
  void (*on_fault_)(void*);
  void* context_;
  struct sigaction before_ {};
  std::size_t armed_ = 0;
  int trips_ = 0;
};

std::byte* page_of(const shm::MessageView& view) {
  const auto address = reinterpret_cast<std::uintptr_t>(view.payload().data());
  return reinterpret_cast<std::byte*>(address / Tripwire::kPage * Tripwire::kPage);
}

shm::LaneHead& head_of(WriterBench& bench, Lane lane) {
  return reinterpret_cast<shm::LanePage*>(bench.memory().data() +
                                          std::uint64_t{bench.header().lane_pages[0]} *
                                              shm::kMinimumChunkBytes)
      ->heads[lane];
}

// Where the lane's messages lie, by a reader with cursors of its own, which claims nothing for
// real.
std::vector<shm::MessageView> peek(WriterBench& bench) {
  GuardedMemory cursors(shm::cursor_segment_bytes(64));
  EXPECT_EQ(cursors.grow_to(cursors.maximum_bytes()), shm::GrowableMemory::Growth::ok);
  shm::format_cursors(cursors.data(), shm::SegmentHeader{});
  shm::RouteReader reader({bench.memory().data(), bench.memory().maximum_bytes()},
                          {cursors.data(), cursors.maximum_bytes()}, 64);
  std::vector<shm::MessageView> views;
  shm::RouteReader::Ticket ticket = 0;
  shm::RouteReader::EndedLoss ended;
  EXPECT_EQ(reader.drain(~0ULL, ~0ULL, views, ticket, ended), Outcome::ok);
  return views;
}

TEST(Outrun, a_lane_that_is_evicted_from_in_every_look_is_claimed_from_all_the_same) {
  WriterBench bench(16 * 1024 * 1024, 64);
  const Lane lane = *bench.writer().open_lane("flooder");
  constexpr std::size_t kMessages = 16'000;
  for (std::size_t each = 0; each < kMessages; ++each) ASSERT_TRUE(bench.append(lane, "message"));
  const std::vector<shm::MessageView> all = peek(bench);
  ASSERT_EQ(all.size(), kMessages);
  struct Broker {
    shm::RouteWriter& writer;
    Lane lane;
    std::size_t evicted;
  } broker{bench.writer(), lane, 0};
  std::vector<shm::MessageView> views;
  {
    const Tripwire wire(
        page_of(all[8'000]), page_of(all[9'000]),
        [](void* opaque) {
          auto& self = *static_cast<Broker*>(opaque);
          if (self.writer.evict_head(self.lane) == shm::RouteWriter::Evict::evicted) ++self.evicted;
        },
        &broker);
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    ASSERT_EQ(bench.guest().reader().drain(~0ULL, ~0ULL, views, ticket, ended), Outcome::ok);
    EXPECT_GE(wire.trips(), 2);
  }
  EXPECT_EQ(views.size() + broker.evicted, kMessages);
  EXPECT_LE(broker.evicted, 20U) << "each look in vain is half as long as the one before";
  std::uint64_t lost = 0;
  for (const shm::MessageView& view : views) lost += view.lost_messages();
  EXPECT_EQ(lost, broker.evicted);
}

// A broker that is stopped, or slow, between its two steps of an eviction: the next head's place is
// written, the head has not moved.
TEST(Outrun, a_half_done_eviction_hides_no_message) {
  WriterBench bench(1024 * 1024, 64);
  const Lane lane = *bench.writer().open_lane("p");
  for (int each = 0; each < 6; ++each) ASSERT_TRUE(bench.append(lane, "message"));
  const std::byte* const third = peek(bench).at(3).payload().data() - sizeof(shm::RecordHeader);
  for (int each = 0; each < 2; ++each)
    ASSERT_EQ(bench.writer().evict_head(lane), shm::RouteWriter::Evict::evicted);
  const auto place = static_cast<std::uint64_t>(third - bench.memory().data());
  head_of(bench, lane).floors[3 % 2].store(shm::LanePosition::pack(3, place));
  EXPECT_EQ(bench.take().size(), 4U);
}

// Evicted from and appended to between the guest's looks at head and tail: it then counts more
// messages than a lane may have.
TEST(Outrun, R19_a_full_lane_that_moves_on_during_a_look_is_sound) {
  WriterBench bench(16 * 1024 * 1024, 64);
  const Lane lane = *bench.writer().open_lane("flooder");
  for (std::uint64_t each = 0; each <= shm::kMaximumLaneMessages; ++each) {
    ASSERT_TRUE(bench.append(lane, "message"));
    if (each == 1) {  // the lane has joined the rotation and stays
      ASSERT_EQ(bench.take(1).size(), 1U);
    }
  }
  struct Broker {
    WriterBench& bench;
    Lane lane;
  } broker{bench, lane};
  auto* const heads = reinterpret_cast<std::byte*>(&head_of(bench, lane));
  std::byte* const page = heads - reinterpret_cast<std::uintptr_t>(heads) % Tripwire::kPage;
  std::byte* const never = bench.memory().data() + 15 * 1024 * 1024;
  std::vector<shm::MessageView> views;
  {
    const Tripwire wire(
        page, never,
        [](void* opaque) {
          auto& self = *static_cast<Broker*>(opaque);
          EXPECT_EQ(self.bench.writer().evict_head(self.lane), shm::RouteWriter::Evict::evicted);
          EXPECT_TRUE(self.bench.append(self.lane, "message"));
        },
        &broker);
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    ASSERT_EQ(bench.guest().reader().drain(~0ULL, 1, views, ticket, ended), Outcome::ok);
    EXPECT_EQ(wire.trips(), 1);
  }
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views[0].lost_messages(), 1U);
}

TEST(Outrun, a_place_that_is_two_to_the_32_records_old_hides_no_message) {
  WriterBench bench(1024 * 1024, 64);
  const Lane lane = *bench.writer().open_lane("p");
  for (int each = 0; each < 6; ++each) ASSERT_TRUE(bench.append(lane, "message"));
  ASSERT_EQ(bench.take(1).size(), 1U);
  head_of(bench, lane).floors[1].store(LanePosition::pack(1, shm::kRouteArenaOffset));
  EXPECT_EQ(bench.take().size(), 5U);
}

}  // namespace
}  // namespace fairlead::test
