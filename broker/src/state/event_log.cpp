#include "state/event_log.hpp"

#include <fairlead/shm/principal.hpp>

namespace fairlead::broker {
namespace {

constexpr RateLimit kLines{.units = 20, .burst = 200};
constexpr RateLimit kLinesOfOne{.units = 5, .burst = 50};
constexpr std::size_t kMaximumSources = 1'024;

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "unknown";
}

EventLog::EventLog(std::function<void(const LogRecord&)> sink, LogLevel level,
                   std::function<std::uint64_t()> clock)
    : sink_(std::move(sink)), level_(level), clock_(std::move(clock)), bucket_(kLines, clock_()) {}

void EventLog::add(LogLine line) {
  if (!sink_ || line.level < level_) return;
  const std::lock_guard lock(collecting_);
  if (!may_write(line)) {
    ++dropped_;
    return;
  }
  if (dropped_ > 0) {
    line.message += " (" + std::to_string(dropped_) + " log lines before this one were dropped)";
    dropped_ = 0;
  }
  lines_.push_back(std::move(line));
}

// With the lock held.
bool EventLog::may_write(const LogLine& line) {
  const std::uint64_t now = clock_();
  if (!line.source.empty()) {
    if (sources_.size() >= kMaximumSources) sources_ = {};  // all of them together have kLines
    if (sources_.take(line.source, kLinesOfOne, 1, now) != RateOutcome::within) return false;
  }
  return bucket_.take(1, now);
}

void EventLog::flush() noexcept {
  std::vector<LogLine> lines;
  const std::lock_guard writing(writing_);
  {
    const std::lock_guard lock(collecting_);
    lines.swap(lines_);
  }
  for (const LogLine& line : lines) {
    try {
      sink_({.level = line.level,
             .message = line.message,
             .principal =
                 line.has_principal ? shm::displayed_principal(line.principal) : std::string_view(),
             .pattern = line.pattern,
             .subscription = line.subscription,
             .guest = line.guest});
    } catch (...) {
      // A log that cannot be written must not end the broker.
    }
  }
}

}  // namespace fairlead::broker
