// Everything that the broker knows of a guest's memory came through the accessor: behind a veil the
// memory itself holds nonsense, the accessor alone tells the truth, and the broker does the same as
// without.
//
// Not veiled: a lane's head, which is also exchanged, and payloads, which are copied as they are
// and decide nothing.
#include <sys/socket.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include <fairlead/shm/control_socket.hpp>

#include "delivery/route.hpp"
#include "single_operations.hpp"

namespace fairlead::hostile {
namespace {

class Veil final : public Tampering {
 public:
  /// `open`: bytes that stay as they are.
  void drop(std::span<std::byte> memory, const std::function<bool(std::size_t)>& open) {
    memory_ = memory;
    open_ = open;
    truth_.assign(memory.begin(), memory.end());
    for (std::size_t at = 0; at < memory.size(); ++at) {
      if (!open(at)) memory[at] = static_cast<std::byte>(random_());
    }
    nonsense_.assign(memory.begin(), memory.end());
  }
  /// False when somebody wrote into it meanwhile.
  [[nodiscard]] bool lift() {
    bool untouched = true;
    for (std::size_t at = 0; at < memory_.size(); ++at) {
      if (open_(at)) continue;
      untouched = untouched && memory_[at] == nonsense_[at];
      memory_[at] = truth_[at];
    }
    memory_ = {};
    return untouched;
  }

 private:
  void tamper(Watched&, std::byte* shared, void* copy, std::size_t bytes) override {
    if (memory_.empty()) return;
    const auto at = static_cast<std::size_t>(shared - memory_.data());
    for (std::size_t byte = 0; byte < bytes; ++byte) {
      if (!open_(at + byte)) static_cast<std::byte*>(copy)[byte] = truth_[at + byte];
    }
  }

  std::minstd_rand random_{3};
  std::span<std::byte> memory_;
  std::function<bool(std::size_t)> open_;
  std::vector<std::byte> truth_;
  std::vector<std::byte> nonsense_;
};

struct Done {
  std::vector<std::uint64_t> words;
  std::uint64_t loads = 0;
  bool wrote = false;
};

// The same random doings of a broker and an honest guest, with the veil or without.
Done play_route(bool veiled) {
  Veil veil;
  RouteMemory memory({.budget = 20'000, .cap = 512 * 1024, .lanes = 256});
  const auto wake = shm::control_pair();
  broker::Route route(memory.segment(), memory.cursor_bytes().data(),
                      std::make_shared<broker::Gate>(true), wake.first.get());
  veil.watch({memory.cursor_bytes(), cursor_word, {}});
  shm::RouteReader reader = memory.reader();
  std::vector<shm::MessageView> views;
  std::mt19937 random(11);
  Done done;
  const auto note = [&](std::uint64_t word) { done.words.push_back(word); };
  const auto note_all_of = [&](RouteMemory& route_memory) {
    const auto* words =
        reinterpret_cast<const std::atomic<std::uint64_t>*>(&route_memory.counters());
    std::for_each_n(words, sizeof(shm::RouteCounters) / 8, note);
    note(route_memory.segment().granted());
  };
  const auto broker = [&](auto&& operation) {
    if (veiled) {
      veil.drop(memory.cursor_bytes(),
                [](std::size_t at) { return RouteMemory::head_at(at).has_value(); });
    }
    operation();
    if (veiled && !veil.lift()) done.wrote = true;
  };
  for (std::uint64_t step = 1; step <= 3'000; ++step) {
    broker([&] {
      // Many lanes, then few: their pages come and go.
      const std::uint64_t principals = step / 300 % 2 == 0 ? 200 : 5;
      const std::vector<std::byte> payload(random() % 150);
      const auto outcome = route.push("p" + std::to_string(random() % principals),
                                      {step, step, 0, step}, "t", payload);
      route.move_doorbell();
      std::atomic_thread_fence(std::memory_order_seq_cst);
      route.settle();
      if (step % 16 == 0) route.maintain();
      note(outcome.evicted);
      note_all_of(memory);
      char signals[8];
      note(static_cast<std::uint64_t>(::recv(wake.second.get(), signals, 8, MSG_DONTWAIT)));
    });
    // A worker that comes to wait or to poll, now and then; one that drains just now.
    shm::CursorHeader& cursors = memory.cursors();
    if (random() % 16 == 0) cursors.wait_count.fetch_add(1);
    if (random() % 16 == 0) cursors.arm_count.fetch_add(1);
    if (random() % 16 == 0) cursors.holds[random() % shm::kHoldSlots] = random() % 2 * 64 * 1024;
    if (random() % 4 == 0) cursors.draining = random() % 2;
    if (random() % 4 != 0) continue;
    views.clear();
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    if (reader.drain(4'096, 1 + random() % 12, views, ticket, ended) !=
        shm::RouteReader::Outcome::ok)
      continue;
    for (const auto& view : views) done.words.push_back(view.sequence());
    if (random() % 8 != 0) reader.release(ticket, views.size());  // else it stays pinned
  }
  done.loads = veil.loads();
  return done;
}

TEST(Veil, a_broker_that_sees_a_route_s_cursors_through_the_accessor_only_does_the_same) {
  const Done plain = play_route(false);
  const Done veiled = play_route(true);
  EXPECT_EQ(plain.words, veiled.words);
  EXPECT_EQ(plain.loads, veiled.loads);
  EXPECT_GT(plain.loads, 10'000U);
  EXPECT_FALSE(veiled.wrote) << "the broker writes into cursors, other than heads";
}

TEST(Veil, an_outbox_is_read_through_the_accessor_only) {
  constexpr std::uint64_t kRing = 4'096;
  test::GuardedMemory memory(shm::kOutboxRingOffset + kRing);
  (void)memory.grow_to(shm::kOutboxRingOffset + kRing);
  const std::span<std::byte> bytes(memory.data(), shm::kOutboxRingOffset + kRing);
  Veil veil;
  veil.watch({bytes, outbox_word, {}});
  broker::OutboxReader reader(memory.data(), kRing);
  OutboxWriter writer(memory.data(), kRing);
  std::mt19937 random(12);
  for (int step = 0; step < 2'000; ++step) {
    std::vector<std::byte> payload(random() % 500);
    for (auto& byte : payload) byte = static_cast<std::byte>(random());
    const std::string topic = "topic." + std::to_string(step);
    ASSERT_TRUE(writer.write(reader.position(), payload, topic));
    // The message ends at the tail, behind a filler perhaps.
    const std::uint64_t size =
        (sizeof(shm::OutboxRecord) + payload.size() + topic.size() + 15) / 16 * 16;
    const std::size_t begin =
        shm::kOutboxRingOffset + (writer.tail() - size) % kRing + sizeof(shm::OutboxRecord);
    veil.drop(bytes, [&](std::size_t at) { return at >= begin && at < begin + payload.size(); });
    ASSERT_TRUE(reader.pending());
    ASSERT_EQ(reader.peek(), broker::OutboxReader::Peek::message) << reader.violation();
    EXPECT_EQ(reader.message().topic, topic);
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), reader.message().payload.begin(),
                           reader.message().payload.end()));
    reader.consume();
    ASSERT_TRUE(veil.lift()) << "the broker writes into an outbox";
  }
}

}  // namespace
}  // namespace fairlead::hostile
