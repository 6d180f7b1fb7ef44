// What the processes of one run share, and a killed one leaves behind.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "support/stream_account.hpp"

namespace fairlead::test::random_kills {

inline constexpr std::size_t kPublisherSlots = 6;
inline constexpr std::size_t kSubscriberSlots = 6;
// The first of each are never killed. The very first subscriber is the witness: it sees all
// messages and loses none, so in the end it knows what of the killed publishers was delivered.
inline constexpr std::size_t kResidents = 2;
inline constexpr std::size_t kWitness = kPublisherSlots;
inline constexpr std::size_t kLossyResident = kWitness + 1;
inline constexpr std::size_t kMostLives = std::size_t{1} << 22;  // only what is used takes memory

enum class Phase : std::uint32_t { starting, attaching, asking, streaming, leaving };
inline constexpr std::size_t kPhases = 5;

// One life of a publisher is one stream.
struct Life {
  std::atomic<std::uint64_t> attempted{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> delivered{0};  // as the witness saw it
  std::atomic<std::uint32_t> slot{0};
  std::atomic<bool> killed{false};

  // Safe in this order: what is acknowledged was attempted.
  [[nodiscard]] Progress progress() const noexcept {
    Progress now;
    now.acknowledged = acknowledged.load(std::memory_order_acquire);
    now.attempted = attempted.load(std::memory_order_acquire);
    return now;
  }
};

struct SharedState {
  std::atomic<bool> publishers_end{false};
  std::atomic<bool> witness_ends{false};
  std::atomic<bool> subscribers_end{false};  // what the witness saw is complete
  std::atomic<bool> brokers_die{false};      // so a connection may be lost
  std::atomic<std::uint64_t> newest_life{0};
  // Of each publisher slot; lives older than kRecentLives that are none of these ended long ago.
  std::array<std::atomic<std::uint64_t>, kPublisherSlots> life_of_slot{};
  std::array<std::atomic<Phase>, kPublisherSlots + kSubscriberSlots> phase{};
  std::array<std::atomic<std::uint64_t>, kPublisherSlots + kSubscriberSlots> epoch{};  // it is in
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> reported_lost{0};   // of routes that were checked to their end
  std::atomic<std::uint64_t> ended_losses{0};    // of lanes that ended, on all routes
  std::atomic<std::uint64_t> routes_checked{0};  // to their end
  std::atomic<std::uint64_t> acknowledged{0};

  std::atomic<bool> failed{false};
  std::array<char, 1'024> problem{};  // of the first that failed

  std::array<Life, kMostLives> lives{};

  /// Keeps the first one.
  void fail(const std::string& sentence) noexcept;
};

/// Mapped shared, so that children forked later share it. Lives as long as the process.
[[nodiscard]] SharedState& make_shared_state();

[[nodiscard]] std::string principal_of_slot(std::size_t slot);
[[nodiscard]] std::string topic_of_slot(std::size_t slot);

struct Role {
  std::string socket;
  std::uint64_t seed = 0;     // of the run, for the content
  std::uint64_t choices = 0;  // for this life's choices
  std::size_t slot = 0;
  std::uint64_t life = 0;  // publishers only
};

/// The bodies of the children. They return when the state says so, and throw when something is
/// wrong.
void publish_until_told(SharedState& state, const Role& role);
void subscribe_until_told(SharedState& state, const Role& role);

}  // namespace fairlead::test::random_kills
