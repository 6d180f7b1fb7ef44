// Any bytes as an outbox: what the reader makes a message of lies in the ring, and whatever does
// not is a violation that stays one.
//
// Input: steps of a first byte that says what, and its parameters. The ring ends where memory ends.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include <fairlead/shm/layout/outbox_layout.hpp>

#include "outbox/outbox_reader.hpp"
#include "support/guarded_memory.hpp"

namespace fairlead::broker {
namespace {

constexpr std::uint64_t kRing = 4'096;
constexpr int kMostSteps = 200;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

class Ring {
 public:
  Ring() : memory_(shm::kOutboxRingOffset + kRing + 65'536) {
    (void)memory_.grow_to(shm::kOutboxRingOffset + kRing);
  }
  void clear() { std::memset(memory_.data(), 0, shm::kOutboxRingOffset + kRing); }
  [[nodiscard]] std::byte* segment() { return memory_.data(); }
  [[nodiscard]] std::byte* at(std::uint64_t position) {
    return memory_.data() + shm::kOutboxRingOffset + position % kRing;
  }
  void set_tail(std::uint64_t tail) {
    reinterpret_cast<shm::OutboxHeader*>(memory_.data())->tail.store(tail);
  }

 private:
  test::GuardedMemory memory_;
};

class Play {
 public:
  Play(Ring& ring, std::span<const std::uint8_t> input)
      : ring_(ring), input_(input), reader_(ring.segment(), kRing) {}

  void run() {
    for (int step = 0; step < kMostSteps && !input_.empty(); ++step) {
      switch (byte() % 8) {
        case 0:
        case 1:
          write_message();
          break;
        case 2:
          write_filler();
          break;
        case 3:  // a word anywhere
          for (std::uint64_t position = word(2), left = 8; left > 0; --left, ++position)
            *ring_.at(position) = static_cast<std::byte>(byte());
          break;
        case 4:
          tail_ += word(2);
          ring_.set_tail(tail_);
          break;
        case 5:
          ring_.set_tail(tail_ = word(8));
          break;
        default:
          take();
      }
    }
    for (int turn = 0; turn < 20; ++turn) take();
  }

 private:
  std::uint8_t byte() { return static_cast<std::uint8_t>(word(1)); }
  std::uint64_t word(int bytes) {
    std::uint64_t value = 0;
    for (; bytes > 0 && !input_.empty(); --bytes, input_ = input_.subspan(1))
      value = value << 8U | input_.front();
    return value;
  }

  // As a guest does, but for sizes that may lie by a little.
  void write_message() {
    const std::uint64_t payload = word(2) % 700;
    const std::uint64_t topic = byte();
    const std::uint64_t lie = byte() < 240 ? 0 : byte();
    const std::uint64_t bytes = (sizeof(shm::OutboxRecord) + payload + topic + 15) / 16 * 16;
    put({static_cast<std::uint32_t>(bytes + lie), shm::OutboxKind::message,
         static_cast<std::uint32_t>(payload), static_cast<std::uint32_t>(topic), ++number_, 0});
    tail_ += bytes;
    ring_.set_tail(tail_);
  }
  void write_filler() {
    const std::uint64_t rest = kRing - tail_ % kRing;
    put({static_cast<std::uint32_t>(rest), shm::OutboxKind::filler, 0, 0, 0, 0});
    tail_ += rest;
    ring_.set_tail(tail_);
  }
  void put(const shm::OutboxRecord& record) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(&record);
    for (std::uint64_t index = 0; index < sizeof record; ++index)
      *ring_.at(tail_ + index) = bytes[index];
  }

  void take() {
    const bool broken = !reader_.violation().empty();
    const std::uint64_t before = reader_.position();
    const auto outcome = reader_.peek();
    if (broken) expect(outcome == OutboxReader::Peek::violation, "a violation stays");
    expect((outcome == OutboxReader::Peek::violation) == !reader_.violation().empty(),
           "a violation has a reason");
    if (outcome != OutboxReader::Peek::message) return;
    const OutboxMessage& message = reader_.message();
    expect(message.publish_number == ++taken_, "numbers go up by one");
    expect(message.topic.size() <= shm::kMaximumTopicBytes + 1, "a topic is cut");
    const std::byte* const first = message.payload.data();
    expect(first >= ring_.at(0) && first + message.payload.size() <= ring_.at(0) + kRing,
           "a payload lies in the ring");
    volatile std::uint8_t sum = 0;
    for (const std::byte each : message.payload)
      sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(each));
    reader_.consume();
    expect(reader_.position() > before && reader_.position() <= before + 2 * kRing,
           "a message takes its place");
  }

  Ring& ring_;
  std::span<const std::uint8_t> input_;
  OutboxReader reader_;
  std::uint64_t tail_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace
}  // namespace fairlead::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::broker;
  static Ring ring;
  ring.clear();
  Play(ring, {data, size}).run();
  return 0;
}
