// What a random sequence is made of. Operations carry all their choices, so that any subsequence
// runs: one that names a route or batch that is not there does nothing.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace fairlead::test {

enum class OperationKind : std::uint8_t {
  publish,       // principal, topic, bytes, times
  patient,       // principal, topic, bytes: as a publisher that would rather wait (R21)
  paused,        // principal, topic, bytes, routes: a fan-out that stops after so many routes
  resume,        // which of the paused ones
  loan,          // route, principal, bytes, 1 to commit or 0 to cancel
  attach,        // route, policy, budget, lanes, pattern, admission, admitted principal, gate
  detach,        // route
  close,         // route
  drain,         // route, byte budget, most messages
  take,          // route, times: one message each, given back at once if it is several times
  release,       // route, which batch
  hold,          // route, which batch, which message
  release_hold,  // route, which hold
  maintain,      // route
  open_gate,     // gate
  retire_gate,   // gate
};
inline constexpr std::size_t kOperationKinds = 16;

struct Operation {
  OperationKind kind = OperationKind::publish;
  std::array<std::uint64_t, 8> numbers{};
  friend bool operator==(const Operation&, const Operation&) = default;
};
using Sequence = std::vector<Operation>;

/// One line each; parse() reads what to_text() wrote. Nothing when a line makes no sense.
[[nodiscard]] std::string to_text(const Operation& operation);
[[nodiscard]] std::string to_text(const Sequence& sequence);
[[nodiscard]] std::optional<Sequence> parse(std::istream& lines);

// What the numbers stand for.
inline constexpr std::size_t kRoutes = 4;
inline constexpr std::size_t kGates = 3;
inline constexpr std::size_t kPrincipals = 100;
[[nodiscard]] std::string principal_name(std::uint64_t number);  // 0 is `system`
[[nodiscard]] std::string topic_text(std::uint64_t number);      // some break the grammar
[[nodiscard]] std::string pattern_text(std::uint64_t number);
inline constexpr std::uint64_t kTopics = 12;
inline constexpr std::uint64_t kPatterns = 8;

/// How much of what a sequence does.
struct Profile {
  const char* name;
  std::uint32_t principals;
  std::uint64_t most_payload;  // bytes
  std::uint64_t least_budget;  // of a route
  std::uint64_t most_budget;
  std::uint32_t most_times;  // publishes in one operation
  std::uint64_t most_drain;  // byte budget of a drain
  std::uint32_t operations;  // in one sequence
  std::array<std::uint32_t, kOperationKinds> weights;
};
[[nodiscard]] const std::vector<Profile>& profiles();

/// The first operations attach routes.
[[nodiscard]] Sequence make_sequence(std::uint64_t seed, const Profile& profile);

}  // namespace fairlead::test
