// Starts the guests of a run and kills them at random.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>

#include "shared_state.hpp"
#include "support/restarted_broker.hpp"

namespace fairlead::test::random_kills {

class Chaos {
 public:
  Chaos(SharedState& state, RestartedBroker& broker, std::uint64_t seed);
  /// Kills all that are left.
  ~Chaos();
  Chaos(const Chaos&) = delete;
  Chaos& operator=(const Chaos&) = delete;

  /// After a random pause: kills a guest that is no resident, and starts another in its place.
  void kill_a_guest();
  /// Kills the broker, and starts the next one after a random pause.
  void kill_the_broker();
  /// Publishers end, then the witness, then the other subscribers, which check what they have.
  void let_all_end();
  /// Empty while all is well: what a guest found, that one died by itself, that nothing moves.
  [[nodiscard]] std::string problem();

  [[nodiscard]] std::uint64_t guests_killed() const noexcept { return guests_killed_; }
  [[nodiscard]] std::uint64_t brokers_killed() const noexcept { return brokers_killed_; }
  /// "attaching 12, ...": in which phase the killed ones were.
  [[nodiscard]] std::string phases() const;

 private:
  static constexpr std::size_t kSlots = kPublisherSlots + kSubscriberSlots;

  void start(std::size_t slot);
  void wait_until_all_are_back();
  void wait_for(std::size_t first, std::size_t last);

  SharedState& state_;
  RestartedBroker& broker_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::array<pid_t, kSlots> guests_{};
  std::array<std::uint64_t, kPhases> killed_in_phase_{};
  std::size_t newest_ = 0;  // slot of the guest that was started last
  std::uint64_t guests_killed_ = 0;
  std::uint64_t brokers_killed_ = 0;
  std::uint64_t last_received_ = 0;
  std::chrono::steady_clock::time_point last_moved_;
};

}  // namespace fairlead::test::random_kills
