// The hand-shake between a guest that shows its outbox's tail and a broker that goes to sleep: each
// writes its own word, then reads the other's, with a full fence in between. Without a fence both
// may read the old word, and the message lies there until somebody happens to look. Nothing can
// force that, so this lets it happen: both sides as they are, over mapped segments, in two threads.
// Without the guest's fence one round in ten loses its wake-up, the first within a few thousand
// (x86-64, two processors; x86 does reorder a store and a later load).
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "attach/outbox_memory.hpp"
#include "connection.hpp"
#include "guest/publish_fixture.hpp"
#include "outbox.hpp"
#include "outbox/outbox_service.hpp"

namespace fairlead::guest {
namespace {

constexpr std::uint64_t kRingBytes = 4'096;
constexpr broker::GuestId kGuest = 1;

/// Two threads that go on at the same moment, as near as spinning can do it.
class Meeting {
 public:
  void meet() noexcept {
    const int both = (arrived_.fetch_add(1, std::memory_order_acq_rel) / 2 + 1) * 2;
    for (int look = 0; arrived_.load(std::memory_order_acquire) < both; ++look) {
      if (look > 10'000) std::this_thread::yield();  // the other one is off its processor
    }
  }

 private:
  std::atomic<int> arrived_{0};
};

class LenientSupervisor final : public broker::OutboxSupervisor {
  shm::Refusal check(const broker::OutboxOwner&, std::string_view, std::uint64_t, std::uint64_t,
                     bool) noexcept override {
    return shm::Refusal::none;
  }
  void published(const broker::OutboxOwner&, const broker::PublishReport&,
                 std::uint64_t) noexcept override {}
};

/// A guest's outbox, and the broker's service of it that wants to sleep whenever it is empty.
class HandShake {
 public:
  HandShake() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw_system("socketpair");
    }
    kicks_.reset(ends[0]);
    auto made = broker::create_outbox(broker::SegmentStamp("test", 1), {kGuest, "alice", {}, 1},
                                      kRingBytes, shm::Backing::sealed);
    shm::control::OutboxOpened opened{};
    opened.outbox = 1;
    opened.ring_bytes = kRingBytes;
    opened.outbox_segment_bytes = made.outbox->memory.size();
    opened.receipt_segment_bytes = made.outbox->receipt_memory.size();
    std::vector<shm::UniqueFd> descriptors;
    descriptors.push_back(std::move(made.guest_outbox));
    descriptors.push_back(std::move(made.guest_receipts));
    guest_ =
        std::make_unique<Outbox>(std::make_shared<Connection>(shm::UniqueFd(ends[1]), seconds(1)),
                                 opened, std::move(descriptors));
    service_.add(std::move(made.outbox));
  }

  // In the guest's thread. A long payload keeps the tail waiting behind it in the store buffer.
  void publish() { (void)guest_->publish("a.b", payload_, kAsynchronous); }

  // All others in the broker's thread.
  void stay_awake() { service_.kicked(kGuest); }
  /// True when it sleeps now, and relies on a kick.
  [[nodiscard]] bool try_to_sleep() {
    service_.poll();
    return !service_.next_look();
  }
  [[nodiscard]] bool kicked() {
    std::array<std::byte, 64> packet{};
    return ::recv(kicks_.get(), packet.data(), packet.size(), MSG_DONTWAIT) > 0;
  }
  void serve_all() {
    service_.kicked(kGuest);
    service_.poll();
    while (service_.serve(1)) continue;
  }

 private:
  LenientSupervisor supervisor_;
  broker::Delivery delivery_{1};
  broker::OutboxService service_{
      delivery_, supervisor_, {.spin_nanoseconds = 0}, [] { return std::uint64_t{1}; }};
  shm::UniqueFd kicks_;
  std::unique_ptr<Outbox> guest_;
  const std::vector<std::byte> payload_ = std::vector<std::byte>(2'000);
};

/// Threads that only ever wait for each other may be left on one processor, where nothing happens
/// at the same time.
class OnProcessor {
 public:
  /// The first of those we may run on, the second...
  explicit OnProcessor(int which) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    for (int each = 0; each < CPU_SETSIZE; ++each) {
      if (CPU_ISSET(each, &before_) && which-- == 0) CPU_SET(each, &chosen);
    }
    there_ = ::sched_setaffinity(0, sizeof chosen, &chosen) == 0;
  }
  ~OnProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OnProcessor(const OnProcessor&) = delete;
  OnProcessor& operator=(const OnProcessor&) = delete;

  /// False when we may not run on so many.
  [[nodiscard]] bool there() const noexcept { return there_; }

 private:
  cpu_set_t before_{};
  bool there_ = false;
};

void pause_for(int steps) noexcept {
  for (int step = 0; step < steps; ++step) std::atomic_signal_fence(std::memory_order_seq_cst);
}

TEST(OutboxFence, a_broker_that_falls_asleep_sees_the_message_or_its_guest_kicks) {
  if (!OnProcessor(1).there()) GTEST_SKIP() << "one processor";
  constexpr int kRounds = FAIRLEAD_SANITIZED ? 2'000 : 20'000;
  HandShake hand_shake;
  Meeting meeting;
  std::atomic<int> lead{0};  // how much later than the guest the broker begins, or earlier
  std::thread guest([&] {
    const OnProcessor second(1);
    for (int round = 0; round < kRounds; ++round) {
      meeting.meet();
      pause_for(-lead.load(std::memory_order_relaxed));
      hand_shake.publish();
      meeting.meet();
    }
  });
  const OnProcessor first(0);
  int lost = 0;
  int slept = 0;
  for (int round = 0; round < kRounds; ++round) {
    hand_shake.stay_awake();
    meeting.meet();
    pause_for(lead.load(std::memory_order_relaxed) + round % 64);
    const bool asleep = hand_shake.try_to_sleep();
    meeting.meet();
    if (!hand_shake.kicked() && asleep) ++lost;
    slept += asleep ? 1 : 0;
    // Towards the moment at which the tail comes into sight: that is where it matters.
    lead = std::clamp(asleep ? lead + 8 : lead - 8, -20'000, 20'000);
    hand_shake.serve_all();
  }
  guest.join();
  EXPECT_EQ(lost, 0) << "of " << kRounds << " messages lie there, and nobody will look";
  if (slept == 0 || slept == kRounds) GTEST_SKIP() << "the two never met";
}

}  // namespace
}  // namespace fairlead::guest
