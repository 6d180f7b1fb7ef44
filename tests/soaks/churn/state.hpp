// What the processes of one run share.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

namespace fairlead::test::churn {

struct State {
  std::atomic<std::uint64_t> cycles{0};
  std::atomic<std::uint64_t> sudden_deaths{0};
  std::atomic<std::uint64_t> messages{0};           // of cycles, checked
  std::atomic<std::uint64_t> resident_messages{0};  // of those who stay, checked
  std::atomic<std::uint64_t> resident_losses{0};
  std::atomic<bool> rest{false};          // nobody begins a cycle
  std::atomic<std::uint32_t> resting{0};  // how many workers do
  std::atomic<bool> end{false};
  std::atomic<bool> failed{false};
  std::array<char, 1'024> problem{};

  void fail(const std::string& sentence) noexcept {
    if (failed.exchange(true)) return;
    std::memcpy(problem.data(), sentence.data(), std::min(sentence.size(), problem.size() - 1));
  }
};

/// Mapped shared, so that children forked later share it. Lives as long as the process.
[[nodiscard]] State& make_state();

struct Place {
  std::string socket;
  std::uint64_t seed = 0;
  std::uint64_t worker = 0;
};

/// Tries to attach now and then, and is refused.
inline constexpr const char* kUnknownPrincipal = "nobody";

/// Attach, subscribe, publish, drain, leave, over and over, in this process. Throws.
void churn_in_one_process(State& state, const Place& place);
/// The same in a child each time, of which half are killed somewhere on the way. Throws.
void churn_and_die(State& state, const Place& place);
/// Stays attached all the time: one publishes, the other checks. Throws.
void stay_and_publish(State& state, const Place& place);
void stay_and_check(State& state, const Place& place);

}  // namespace fairlead::test::churn
