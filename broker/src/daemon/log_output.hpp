// The daemon's log: one line per event on standard error.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include <fairlead/broker/options.hpp>

#include "daemon/command_line.hpp"

namespace fairlead::broker::daemon {

// Thread-safe. Lines are written by a thread of its own, so whoever reads them (a pipe, the
// journal) may stop reading without stopping the broker. Lines that find no room push out the
// oldest that wait; how many were lost is told by one line as soon as others can be written again.
class LogOutput {
 public:
  static constexpr std::size_t kLines = 1'024;  // that may wait

  /// Makes the thread: block signals before. Throws std::exception.
  LogOutput(LogFormat format, LogLevel level, std::size_t lines = kLines);
  /// Waits for what is being written: call finish() before, and do without this if that fails.
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  /// For BrokerOptions::logger. Never blocks.
  void add(const LogRecord& record);

  /// Why the daemon ends: the program's name and that sentence, without time and level.
  void add_last_words(std::string_view sentence);

  /// Waits until everything is written, at most that long. False: nobody reads it.
  [[nodiscard]] bool finish(std::chrono::milliseconds most) noexcept;

 private:
  class EventSink;
  class Content;
  std::unique_ptr<Content> content_;
};

}  // namespace fairlead::broker::daemon
