#include "single_operations.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace fairlead::hostile {

using shm::Lane;

// ---- a route -----------------------------------------------------------------------------------

WriterOperations::WriterOperations(Choices& choices, RandomTampering& tampering,
                                   const RouteSettings& settings)
    : choices_(choices),
      tampering_(tampering),
      memory_(settings),
      writer_(memory_.segment(), memory_.cursor_bytes().data()) {
  tampering_.watch({memory_.cursor_bytes(),
                    [this](std::size_t offset) -> std::optional<std::uint64_t> {
                      const auto lane = RouteMemory::head_at(offset);
                      if (!lane) return std::nullopt;
                      return RouteMemory::plausible_head(writer_, *lane, choices_, 2);
                    },
                    200});
}

// Figures that are shown to people, after clamping; and whose a claim is, which is asked anew for
// each head that is seen: an eviction that is outrun by a claim sees two.
bool WriterOperations::may_load_again(const void* word) {
  const shm::CursorHeader& cursors = memory_.cursors();
  if (word == &cursors.messages_held) return true;
  if (word == &cursors.batches) return true;
  return std::any_of(lanes_.begin(), lanes_.end(), [&](Lane lane) {
    const shm::RotationEntry& entry = memory_.cursor(lane).rotation;
    return word == &entry.uncovered_visits || word == &entry.newest_batch;
  });
}

template <class Operation>
void WriterOperations::operate(const char* name, Operation&& operation) {
  const std::uint64_t moved = writer_.queued();
  tampering_.begin_operation();
  operation();
  for (const void* word : tampering_.loaded_again())
    require(may_load_again(word), "an operation loads a word twice");
  // Each message that went has its own three figures shown, and is some batch's.
  const std::uint64_t paid = 5 * (moved - std::min(writer_.queued(), moved));
  std::uint64_t& most = most_[name];
  most = std::max(
      most, tampering_.loads_in_operation() - std::min(paid, tampering_.loads_in_operation()));
}

void WriterOperations::append(Lane lane) {
  ++sequence_;
  const std::vector<std::byte> payload(choices_.below(choices_.one_in(50) ? 20'000 : 200));
  operate("append", [&] {
    (void)writer_.append(lane, {sequence_, sequence_, 0, sequence_}, "t", payload);
  });
  writer_.move_doorbell();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  operate("settle", [&] {
    bool armed = false;
    (void)writer_.settle(armed);
  });
}

void WriterOperations::step() {
  if (lanes_.empty() || choices_.one_in(10)) {
    if (const auto lane = writer_.open_lane("p" + std::to_string(choices_.below(300))))
      lanes_.push_back(*lane);
  }
  if (lanes_.empty()) return;
  const std::size_t which = choices_.below(lanes_.size());
  const Lane lane = lanes_[which];
  switch (choices_.below(10)) {
    case 0:
      operate("observe", [&] { (void)writer_.observe(lane); });
      break;
    case 1:
    case 2:
      operate("evict_head", [&] { (void)writer_.evict_head(lane); });
      break;
    case 3:
    case 4: {
      Lane reported = 0;
      operate("next_report", [&] {
        if (writer_.next_report(reported) == shm::RouteWriter::Report::lane)
          require(writer_.in_use(reported), "a report names a lane that nobody has");
      });
      break;
    }
    case 5:
      operate("reclaim", [&] { writer_.reclaim(); });
      break;
    case 6:
      operate("trim", [&] { writer_.trim(static_cast<std::uint32_t>(choices_.below(3))); });
      break;
    case 7:
      if (writer_.depth(lane) != 0) break;
      operate("close_lane", [&] { (void)writer_.close_lane(lane, shm::LossReason::budget); });
      lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(which));
      break;
    default:
      if (writer_.queued_bytes() < memory_.settings().budget - 20'000 &&
          writer_.depth(lane) < shm::kMaximumLaneMessages)
        append(lane);
  }
  memory_.check();
}

// ---- an outbox ---------------------------------------------------------------------------------

OutboxOperations::OutboxOperations(Choices& choices, RandomTampering& tampering)
    : choices_(choices),
      tampering_(tampering),
      memory_(shm::kOutboxRingOffset + kRing + kGuard),
      reader_(granted(memory_), kRing),
      writer_(memory_.data(), kRing) {
  tampering_.watch({{memory_.data(), shm::kOutboxRingOffset + kRing},
                    [this](std::size_t offset) -> std::optional<std::uint64_t> {
                      if (offset >= shm::kOutboxRingOffset) return 0;  // a record, as it is
                      return writer_.tail();
                    },
                    50});
}

const std::byte* OutboxOperations::granted(test::GuardedMemory& memory) noexcept {
  (void)memory.grow_to(shm::kOutboxRingOffset + kRing);
  return memory.data();
}

void OutboxOperations::step() {
  if (choices_.below(2) == 0) {
    // As an honest guest writes, but for what the tampering makes of it.
    const std::vector<std::byte> payload(choices_.below(300), std::byte{'o'});
    (void)writer_.write(reader_.position(), payload, "topic");
  }
  const auto* const tail = &reinterpret_cast<shm::OutboxHeader*>(memory_.data())->tail;
  tampering_.begin_operation();
  if (choices_.one_in(4)) {
    (void)reader_.pending();
    require(tampering_.loads_in_operation() <= 1, "pending() is one look at the tail");
    return;
  }
  const auto outcome = reader_.peek();
  // Behind a filler there may be a message by now: the tail is asked once more, and checked again.
  for (const void* word : tampering_.loaded_again())
    require(word == tail, "peek() loads a word twice");
  require(tampering_.loads_in_operation() <= 5, "peek() loads two tails, two records and a topic");
  if (outcome != broker::OutboxReader::Peek::message) return;
  const broker::OutboxMessage& message = reader_.message();
  std::uint8_t sum = 0;  // faults when it is not all there
  for (const std::byte each : message.payload)
    sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(each));
  require(message.payload.data() >= ring() && message.payload.size() <= kRing,
          "a payload outside the ring");
  require(message.topic.size() <= shm::kMaximumTopicBytes + 1, "a topic longer than its copy");
  static_cast<void>(sum);
  ++messages_;
  reader_.consume();
  require(reader_.position() <= writer_.tail() + kRing, "more was consumed than fits");
}

}  // namespace fairlead::hostile
