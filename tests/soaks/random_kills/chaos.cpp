#include "chaos.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <thread>

#include <fairlead/shm/error.hpp>

#include "attaching.hpp"
#include "support/child_process.hpp"

namespace fairlead::test::random_kills {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kNothingMoves{30};
constexpr std::chrono::seconds kAllEndWithin{90};

bool is_publisher(std::size_t slot) { return slot < kPublisherSlots; }

bool is_resident(std::size_t slot) {
  return (is_publisher(slot) ? slot : slot - kPublisherSlots) < kResidents;
}

}  // namespace

Chaos::Chaos(SharedState& state, RestartedBroker& broker, std::uint64_t seed)
    : state_(state),
      broker_(broker),
      seed_(seed),
      random_(seed),
      last_moved_(std::chrono::steady_clock::now()) {
  // The residents see all streams from their beginning.
  for (const std::size_t slot : {kWitness, kLossyResident}) {
    start(slot);
    while (state_.phase[slot] != Phase::streaming && !state_.failed) {
      std::this_thread::sleep_for(100us);
    }
  }
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    if (slot != kWitness && slot != kLossyResident) start(slot);
  }
}

Chaos::~Chaos() {
  for (pid_t& guest : guests_) {
    if (send_signal(guest, SIGKILL)) ::waitpid(guest, nullptr, 0);
    guest = -1;
  }
}

void Chaos::start(std::size_t slot) {
  Role role{.socket = broker_.socket(), .seed = seed_, .choices = random_(), .slot = slot};
  if (is_publisher(slot)) {
    role.life = state_.newest_life.load() + 1;
    state_.lives[role.life].slot = static_cast<std::uint32_t>(slot);
    state_.life_of_slot[slot] = role.life;
    state_.newest_life = role.life;
  }
  newest_ = slot;
  state_.phase[slot] = Phase::starting;
  state_.epoch[slot] = 0;
  guests_[slot] = ::fork();
  if (guests_[slot] < 0) throw_system("fork");
  if (guests_[slot] > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    if (is_publisher(slot)) {
      publish_until_told(state_, role);
    } else {
      subscribe_until_told(state_, role);
    }
    ::_exit(0);
  } catch (const std::exception& error) {
    state_.fail((is_publisher(slot) ? "publisher " : "subscriber ") + std::to_string(slot) + ": " +
                error.what());
    ::_exit(1);
  }
}

void Chaos::kill_a_guest() {
  std::size_t slot = newest_;
  if (random_() % 3 == 0 && !is_resident(slot)) {
    // The newest again, while it attaches, subscribes, or sends its first messages.
    std::this_thread::sleep_for(random_() % 1'200 * 1us);
  } else {
    std::this_thread::sleep_for(random_() % 8'000 * 1us);
    do {
      slot = random_() % kSlots;
    } while (is_resident(slot));
  }
  const auto phase = static_cast<std::size_t>(state_.phase[slot].load());
  int status = 0;
  if (!send_signal(guests_[slot], SIGKILL) || ::waitpid(guests_[slot], &status, 0) < 0) {
    throw_system("kill");
  }
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    state_.fail("a guest ended by itself with status " + std::to_string(status));
  }
  if (is_publisher(slot)) state_.lives[state_.life_of_slot[slot]].killed = true;
  ++killed_in_phase_[phase];
  ++guests_killed_;
  start(slot);
}

void Chaos::kill_the_broker() {
  // Mostly it has seen the hang-up of the guest that died last: otherwise that one's route is kept.
  if (random_() % 8 != 0) std::this_thread::sleep_for(random_() % 20'000 * 1us);
  for (bool again = true; again;) {
    broker_.end_at_once();
    ++brokers_killed_;
    // Seldom guests die meanwhile: what they leave is taken over and over, until its grace time.
    if (random_() % 8 == 0) kill_a_guest();
    broker_.start();
    // Some die while they take over.
    again = random_() % 4 == 0;
    if (again) std::this_thread::sleep_for(random_() % 20'000 * 1us);
  }
  if (const std::string trouble = broker_.wait_until_ready(); !trouble.empty()) {
    state_.fail(trouble);
    return;
  }
  if (random_() % 8 != 0) wait_until_all_are_back();
}

// Those that had got as far as a route or an outbox.
void Chaos::wait_until_all_are_back() {
  const std::uint64_t epoch = attach_patiently(broker_.socket(), "agent.chaos").welcome().epoch;
  const auto deadline = std::chrono::steady_clock::now() + kNothingMoves;
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    while (state_.phase[slot] == Phase::streaming && state_.epoch[slot] < epoch) {
      if (state_.failed) return;
      if (std::chrono::steady_clock::now() > deadline) {
        state_.fail("guest " + std::to_string(slot) + " stays in epoch " +
                    std::to_string(state_.epoch[slot]) + ": the broker is in " +
                    std::to_string(epoch));
        return;
      }
      std::this_thread::sleep_for(100us);
    }
  }
}

std::string Chaos::problem() {
  if (state_.failed) {
    // The sentence is written after the flag.
    for (int look = 0; look < 1'000 && state_.problem[0] == '\0'; ++look) {
      std::this_thread::sleep_for(1ms);
    }
    return state_.problem.data();
  }
  if (!broker_.alive()) return "the broker is gone: " + broker_.log();
  const std::uint64_t received = state_.received.load();
  const auto now = std::chrono::steady_clock::now();
  if (received != last_received_) last_moved_ = now;
  last_received_ = received;
  if (now - last_moved_ > kNothingMoves) return "nothing moves any more";
  return {};
}

void Chaos::wait_for(std::size_t first, std::size_t last) {
  const auto deadline = std::chrono::steady_clock::now() + kAllEndWithin;
  for (std::size_t slot = first; slot < last; ++slot) {
    for (;;) {
      int status = 0;
      if (::waitpid(guests_[slot], &status, WNOHANG) == guests_[slot]) {
        guests_[slot] = -1;
        if (status != 0) state_.fail("a guest ended with status " + std::to_string(status));
        break;
      }
      if (std::chrono::steady_clock::now() > deadline) {
        state_.fail("guest " + std::to_string(slot) + " does not end");
        return;
      }
      std::this_thread::sleep_for(1ms);
    }
  }
}

void Chaos::let_all_end() {
  state_.publishers_end = true;
  wait_for(0, kPublisherSlots);
  state_.witness_ends = true;
  wait_for(kWitness, kWitness + 1);
  state_.subscribers_end = true;
  wait_for(kWitness + 1, kSlots);
}

std::string Chaos::phases() const {
  static constexpr std::array<const char*, kPhases> kNames = {"starting", "attaching", "asking",
                                                              "streaming", "leaving"};
  std::string text;
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    if (phase != 0) text += ", ";
    text += kNames[phase] + std::string(" ") + std::to_string(killed_in_phase_[phase]);
  }
  return text;
}

}  // namespace fairlead::test::random_kills
