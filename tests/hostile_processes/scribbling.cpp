// What an intruder may write: its cursors and its outbox, at any moment, with anything.
#include <fcntl.h>

#include <cstring>

#include "intruder.hpp"

namespace fairlead::hostile_processes {

std::uint64_t Intruder::nonsense(std::uint64_t truth) {
  seen_.push_back(truth);
  if (seen_.size() > 64) seen_.erase(seen_.begin());
  switch (below(8)) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return truth + 1 - 2 * below(2);
    case 3:
      return std::uint64_t{1} << below(64);
    case 4:
      return below(300);
    case 5:
      return seen_[below(seen_.size())];
    case 6:
      return truth ^ (std::uint64_t{1} << below(64));
    default:
      return random_();
  }
}

namespace {

using SharedWord = std::atomic<std::uint64_t>;  // it is others' memory, too

SharedWord& word_at(std::span<std::byte> memory, std::size_t offset) {
  return *reinterpret_cast<SharedWord*>(memory.data() + offset / 8 * 8);
}

}  // namespace

void Intruder::scribble_where(std::span<std::byte> memory, std::size_t offset, std::size_t words) {
  for (; words > 0 && offset + 8 <= memory.size(); --words, offset += 8) {
    SharedWord& word = word_at(memory, offset);
    word.store(nonsense(word.load()));
  }
}

// Anything but heads, of which most values end the route at once.
void Intruder::scribble_cursors() {
  if (routes_.empty()) return;
  const auto memory = routes_[below(routes_.size())]->cursors.bytes();
  for (std::uint64_t times = 1 + below(200); times > 0; --times) {
    std::size_t offset = below(memory.size() / 8) * 8;
    if (one_in(2)) offset = below(4'096) / 8 * 8;
    const bool head = offset >= shm::kCursorLanesOffset &&
                      (offset - shm::kCursorLanesOffset) % sizeof(shm::LaneCursor) == 0;
    if (!head || one_in(200)) scribble_where(memory, offset, 1);
  }
}

void Intruder::scribble_outbox() {
  if (!outbox_) return;
  const auto memory = outbox_->bytes();
  // Payloads change while the broker copies them; headers of records now and then.
  const bool headers = one_in(20);
  for (std::uint64_t times = 1 + below(500); times > 0; --times) {
    const std::size_t offset = shm::kOutboxRingOffset + below(ring_bytes_ / 8) * 8;
    if (offset % 64 >= 32 || headers) scribble_where(memory, offset, 1);
  }
  if (one_in(50)) scribble_where(memory, 0, 40);
}

void Intruder::move_heads() {
  if (routes_.empty()) return;
  Route& route = *routes_[below(routes_.size())];
  const std::uint32_t lane = static_cast<std::uint32_t>(below(8));
  auto* const lanes =
      reinterpret_cast<shm::LaneCursor*>(route.cursors.bytes().data() + shm::kCursorLanesOffset);
  if (lane >= route.answer.lane_capacity) return;
  const std::uint64_t head = lanes[lane].head.load();
  lanes[lane].head.store(one_in(5) ? nonsense(head) : head + below(3));
}

void Intruder::move_tail() {
  if (!outbox_) return;
  auto& tail = outbox_->as<shm::OutboxHeader>().tail;
  tail.store(one_in(3) ? nonsense(tail.load()) : tail.load() + 16 * below(64));
}

void Intruder::punch_holes() {
  const auto memory = some_memory();
  if (memory.empty()) return;
  int descriptor = outbox_ && memory.data() == outbox_->bytes().data() ? outbox_->descriptor() : -1;
  for (const auto& route : routes_) {
    if (memory.data() == route->cursors.bytes().data()) descriptor = route->cursors.descriptor();
  }
  // Of an outbox its ring alone, or it is thrown out for its tail; not always, though.
  const bool whole = one_in(20);
  const std::size_t first = whole ? 0 : 4'096;
  if (memory.size() <= first) return;
  const std::size_t offset = first + below((memory.size() - first) / 4'096 + 1) * 4'096;
  const std::size_t bytes = (1 + below(16)) * 4'096;
  if (one_in(2)) {
    (void)!::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } else if (offset < memory.size()) {
    std::memset(memory.data() + offset, 0, std::min(bytes, memory.size() - offset));
  }
}

// The broker wakes whoever seems to wait; each of these costs it a system call at most.
void Intruder::ring_doorbells() {
  for (const auto& route : routes_) {
    auto& cursors = route->cursors.as<shm::CursorHeader>();
    for (int times = 0; times < 1'000; ++times) {
      cursors.wait_count.fetch_add(1);
      cursors.arm_count.fetch_add(1);
      cursors.draining.store(static_cast<std::uint32_t>(times & 1));
    }
    if (one_in(4)) cursors.reports.fetch_add(below(one_in(2) ? 10 : 1'000'000));
  }
}

void Intruder::pin_memory() {
  if (routes_.empty()) return;
  auto& cursors = routes_[below(routes_.size())]->cursors.as<shm::CursorHeader>();
  const bool pin = one_in(2);
  for (auto& ticket : cursors.tickets) ticket.batch.store(pin ? 1 : 0);
  for (auto& hold : cursors.holds)
    hold.store(pin ? shm::kRouteArenaOffset + below(1'024) * 256 : 0);
}

// Memory as it was some time ago.
void Intruder::replay() {
  const auto memory = some_memory();
  if (memory.empty()) return;
  if (old_.size() == memory.size() && one_in(4)) {
    // All but heads and tails.
    const std::size_t begin = 256 + 64 + below(old_.size() / 2);
    const std::size_t end = std::min(old_.size(), one_in(10) ? old_.size() : begin + 4'096);
    std::memcpy(memory.data() + begin, old_.data() + begin, end - begin);
  } else {
    old_.assign(memory.begin(), memory.end());
  }
}

}  // namespace fairlead::hostile_processes
