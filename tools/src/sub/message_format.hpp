// How `fairlead sub` shows messages.
#pragma once

#include <cstdint>
#include <string>

#include <fairlead/guest/batch.hpp>

namespace fairlead::tools {

enum class MessageFormat : std::uint8_t {
  text,   // topic, principal and payload on one line
  json,   // one object per line
  raw,    // payloads and nothing else
  lines,  // payloads, a newline after each
};

/// What turns the publish time of messages (CLOCK_MONOTONIC) into one of the calendar.
struct ClockPair {
  std::uint64_t monotonic_ns = 0;
  std::uint64_t realtime_ns = 0;

  /// Of this moment.
  [[nodiscard]] static ClockPair now() noexcept;
  [[nodiscard]] std::uint64_t realtime_of(std::uint64_t monotonic) const noexcept {
    return realtime_ns - (monotonic_ns - monotonic);
  }
};

void append_message(std::string& out, MessageFormat format, const guest::Message& message,
                    const ClockPair& clocks);

/// A loss that no message tells of (R29), as a line; only in JSON.
void append_ended_loss(std::string& out, const guest::EndedLoss& loss);

/// For standard error, in the other formats: "3 messages (120 bytes) of alice lost before ...".
[[nodiscard]] std::string loss_sentence(const guest::Message& message);
[[nodiscard]] std::string loss_sentence(const guest::EndedLoss& loss);

}  // namespace fairlead::tools
