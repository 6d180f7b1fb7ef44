// How a broker is set up.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <fairlead/shm/control_protocol.hpp>

namespace fairlead::broker {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;

// One thing that happened. The views are good during the call only.
struct LogRecord {
  LogLevel level = LogLevel::info;
  std::string_view
      message{};  // a whole sentence that names route and principal where there are any
  std::string_view principal{};  // as people write it ("system"); empty: no principal is concerned
  std::string_view pattern{};    // of the route; empty: none is concerned
  std::uint64_t subscription = 0;  // of the route
  std::uint64_t guest = 0;         // 0: none
};

struct BrokerOptions {
  /// 1 to 48 bytes of [A-Za-z0-9_-]; names the segments. One broker of a name at a time.
  std::string name = "main";

  /// Where guests attach. Empty: no socket, guests only by Broker::connect(). See
  /// default_socket_path() for what the programs of fairlead use.
  std::string socket_path{};
  /// Of the socket. The policy decides who may attach; this only keeps others from trying.
  std::uint32_t socket_mode = 0666;

  /// TOML, docs/policy.md. Empty: only the broker's own user may attach, and may do everything.
  std::filesystem::path policy_path{};

  /// What `automatic` means when a guest wishes nothing: a sealed segment for a guest of our own
  /// uid behind a sandbox that makes the boundary enforced, else a named one. `named` or `sealed`
  /// here decide it for all who wish nothing.
  shm::control::BackingWish backing = shm::control::BackingWish::automatic;

  /// Called from several threads, one at a time, never while a publish waits for it. Empty: nothing
  /// is logged. It must not call the broker, and what it waits for must not either: stop(),
  /// reload_policy() and the destructor wait for a line that is being written, so that would wait
  /// for ever.
  std::function<void(const LogRecord&)> logger{};
  LogLevel log_level = LogLevel::info;

  /// CLOCK_MONOTONIC in nanoseconds; for tests that rule the time.
  std::function<std::uint64_t()> clock{};

  /// How long an outbox is still polled after its last message. Empty: the policy's spin_us.
  std::optional<std::chrono::nanoseconds> outbox_spin{};
  /// How often a full route is asked for room on behalf of a publisher that waits (R21): from the
  /// first to the longest, doubling.
  std::chrono::nanoseconds first_pause = std::chrono::microseconds(100);
  std::chrono::nanoseconds longest_pause = std::chrono::milliseconds(4);
  /// How long a guest's publish waits for full routes at most, whatever it asks: the principal's
  /// other outboxes wait with it.
  std::chrono::nanoseconds longest_block = std::chrono::seconds(60);
};

/// $XDG_RUNTIME_DIR/fairlead/<name>.sock, or /run/fairlead/<name>.sock without that variable. The
/// daemon makes the directory, Broker does not.
[[nodiscard]] std::string default_socket_path(std::string_view broker_name);

}  // namespace fairlead::broker
