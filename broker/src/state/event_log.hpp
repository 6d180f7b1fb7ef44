// Log lines, collected where a lock is held and written where none is.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <fairlead/broker/options.hpp>

#include "policy/rate_table.hpp"
#include "policy/token_bucket.hpp"

namespace fairlead::broker {

// One line to be written; owns its texts.
struct LogLine {
  LogLevel level = LogLevel::info;
  std::string message{};
  std::string source{};     // who can cause such lines; empty: nobody but us
  std::string principal{};  // canonical
  bool has_principal = false;
  std::string pattern{};
  std::uint64_t subscription = 0;
  std::uint64_t guest = 0;
};

// Thread-safe. A guest can cause lines: beyond 200 at once and 20 per second they are dropped, and
// the next one that is written says how many were. One source alone gets a quarter of that, so that
// it does not hide what there is to say about others.
class EventLog {
 public:
  EventLog(std::function<void(const LogRecord&)> sink, LogLevel level,
           std::function<std::uint64_t()> clock);

  void add(LogLine line);
  void add(LogLevel level, std::string message) {
    add({.level = level, .message = std::move(message)});
  }

  /// Hands what was collected to the sink. Call it without holding any lock.
  void flush() noexcept;

 private:
  [[nodiscard]] bool may_write(const LogLine& line);

  std::function<void(const LogRecord&)> sink_;
  LogLevel level_;
  std::function<std::uint64_t()> clock_;
  std::mutex collecting_;  // guards what follows
  std::vector<LogLine> lines_;
  RateTable sources_;
  TokenBucket bucket_;
  std::uint64_t dropped_ = 0;
  std::mutex writing_;  // held while the sink runs
};

}  // namespace fairlead::broker
