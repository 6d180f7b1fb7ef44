// The processes: an embedded broker here, guests in children that were forked before it began.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fairlead/broker/broker.hpp>
#include <fairlead/guest/guest.hpp>

#include "service.hpp"
#include "support/child_process.hpp"
#include "support/program.hpp"

namespace fairlead::test {

inline constexpr std::size_t kOthers = 3;
inline constexpr std::size_t kMostServed = 2'000'000;
inline constexpr std::uint64_t kMeasured = 200;  // latencies of one block

// What the healthy guest tells.
struct ServiceBoard {
  std::atomic<std::uint64_t> served_count;
  std::atomic<std::uint64_t> measured;       // messages in the latency phase
  std::atomic<std::uint64_t> busy[kOthers];  // messages that the others took, or published
  std::uint64_t latencies[kMeasured];
  Served served[kMostServed];
};

class StageWithGuests {
 public:
  /// Throws Error or std::runtime_error.
  StageWithGuests(std::size_t others, const std::string& pattern_of_others, std::uint64_t seed,
                  bool measuring);
  ~StageWithGuests();
  StageWithGuests(const StageWithGuests&) = delete;
  StageWithGuests& operator=(const StageWithGuests&) = delete;

  [[nodiscard]] broker::Broker& broker() { return *broker_; }
  [[nodiscard]] ServiceBoard& board() { return *board_; }
  [[nodiscard]] std::vector<pid_t> other_processes() const;
  /// Guests' numbers at the broker.
  [[nodiscard]] std::vector<std::uint64_t> other_guests() const;
  /// The others have begun to work.
  [[nodiscard]] bool wait_until_busy();
  /// Gives the healthy guest its turn and waits until it has had it.
  [[nodiscard]] bool take_turn();
  [[nodiscard]] std::string result_of_healthy();

 private:
  void be_healthy(std::uint64_t seed, bool measuring);
  void be_other(std::size_t index, const std::string& pattern);

  ScratchDirectory directory_;
  ServiceBoard* board_;
  Signal broker_is_there_[kOthers + 1];
  Signal attached_[kOthers + 1];
  Signal turn_;
  Signal turn_done_;
  std::unique_ptr<ChildProcess> healthy_;
  std::vector<std::unique_ptr<ChildProcess>> others_;
  std::unique_ptr<broker::Broker> broker_;
};

}  // namespace fairlead::test
