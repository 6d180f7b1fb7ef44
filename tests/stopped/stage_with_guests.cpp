#include "stage_with_guests.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include <fairlead/shm/clock.hpp>

#include "support/test_broker.hpp"

namespace fairlead::test {

namespace {

using namespace std::chrono_literals;

Served served_of(const guest::Message& message) {
  Served served;
  const std::string_view name = message.principal();
  std::from_chars(name.data() + 1, name.data() + name.size(), served.principal);
  std::memcpy(&served.index, message.payload().data(), sizeof served.index);
  served.bytes = static_cast<std::uint32_t>(message.payload().size());
  for (const std::byte each : message.payload())
    served.content = served.content * 31 + static_cast<std::uint32_t>(each);
  served.lost = message.lost_messages();
  served.sequence = message.sequence();
  return served;
}

}  // namespace

StageWithGuests::StageWithGuests(std::size_t others, const std::string& pattern_of_others,
                                 std::uint64_t seed, bool measuring) {
  void* const memory = ::mmap(nullptr, sizeof(ServiceBoard), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for the board");
  board_ = static_cast<ServiceBoard*>(memory);
  // Before the broker has threads. The healthy route is the newest: served last by each publish.
  for (std::size_t index = 0; index < others; ++index) {
    others_.push_back(std::make_unique<ChildProcess>([this, index, pattern_of_others] {
      be_other(index, pattern_of_others);
      return std::string();
    }));
  }
  healthy_ = std::make_unique<ChildProcess>([this, seed, measuring] {
    be_healthy(seed, measuring);
    return std::string();
  });
  broker::BrokerOptions options;
  options.name = unique_broker_name();
  options.socket_path = directory_.path_of("socket");
  broker_ = std::make_unique<broker::Broker>(options);
  broker_->start();
  for (std::size_t index = 0; index < others; ++index) {
    broker_is_there_[index].send();
    if (!attached_[index].wait()) throw std::runtime_error("a guest cannot attach");
  }
  broker_is_there_[kOthers].send();
  if (!attached_[kOthers].wait()) throw std::runtime_error("the healthy guest cannot attach");
}

StageWithGuests::~StageWithGuests() {
  healthy_.reset();
  others_.clear();
  broker_.reset();
  ::munmap(board_, sizeof(ServiceBoard));
}

std::vector<pid_t> StageWithGuests::other_processes() const {
  std::vector<pid_t> processes;
  for (const auto& each : others_) processes.push_back(each->pid());
  return processes;
}

std::vector<std::uint64_t> StageWithGuests::other_guests() const {
  std::vector<std::uint64_t> numbers;
  for (const auto& guest : broker_->statistics().guests) {
    if (guest.principal.starts_with("other")) numbers.push_back(guest.guest);
  }
  return numbers;
}

bool StageWithGuests::wait_until_busy() {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  for (std::size_t index = 0; index < others_.size(); ++index) {
    while (board_->busy[index] < 10) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      (void)broker_->publish("p0", "o.warm", "something to do");
      std::this_thread::yield();
    }
  }
  return true;
}

bool StageWithGuests::take_turn() {
  turn_.send();
  return turn_done_.wait();
}

std::string StageWithGuests::result_of_healthy() {
  healthy_->kill();
  return {};
}

// ---- in children -------------------------------------------------------------------------------

// Two drain what comes, also of the load; the third publishes.
void StageWithGuests::be_other(std::size_t index, const std::string& pattern) {
  if (!broker_is_there_[index].wait()) return;
  auto guest = guest::Guest::attach({.socket_path = directory_.path_of("socket"),
                                     .principal = "other" + std::to_string(index),
                                     .timeout = 30s});
  const shm::EvictionPolicy policies[] = {shm::EvictionPolicy::oldest_head,
                                          shm::EvictionPolicy::fair_share,
                                          shm::EvictionPolicy::reject};
  auto route = guest.subscribe(pattern, {.eviction = policies[index % 3], .budget_bytes = 65'536});
  auto publisher = guest.publisher({.ring_bytes = 65'536});
  attached_[index].send();
  for (;;) {
    if (index == 2) {
      (void)publisher.publish("o.other", "from a guest", {.wait_for_receipt = 0ns});
      std::this_thread::yield();
    }
    (void)route.wait(index == 2 ? 0ns : 10ms);
    const auto batch = route.drain(4'096);
    board_->busy[index] += batch.size();
  }
}

void StageWithGuests::be_healthy(std::uint64_t seed, bool measuring) {
  if (!broker_is_there_[kOthers].wait()) return;
  auto guest = guest::Guest::attach(
      {.socket_path = directory_.path_of("socket"), .principal = "healthy", .timeout = 30s});
  auto route = guest.subscribe("s.*", {.budget_bytes = 65'536});
  attached_[kOthers].send();
  std::mt19937_64 random(seed);
  while (measuring) {
    (void)route.wait(1s);
    const auto batch = route.drain();
    const std::uint64_t now = shm::monotonic_ns();
    for (const auto& message : batch) {
      board_->latencies[board_->measured % kMeasured] = now - message.published_nanoseconds();
      board_->measured.fetch_add(1, std::memory_order_release);
    }
  }
  while (turn_.wait()) {
    // Not all of it each time: a backlog is what order and share are about.
    for (std::uint64_t calls = 1 + random() % 6; calls > 0; --calls) {
      const auto batch = route.drain(1 + random() % 24'000);
      for (const auto& message : batch) {
        const std::uint64_t count = board_->served_count;
        if (count == kMostServed) break;
        board_->served[count] = served_of(message);
        board_->served_count.store(count + 1);
      }
    }
    turn_done_.send();
  }
}

}  // namespace fairlead::test
