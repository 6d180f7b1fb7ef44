#include "daemon/log_output.hpp"

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace fairlead::broker::daemon {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

// Guests choose program names and such: no control bytes reach a terminal.
std::string printable(std::string_view text) {
  std::string shown(text);
  for (char& byte : shown) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) byte = '?';
  }
  return shown;
}

// Without the braces, so that spdlog's pattern can put time and level in front.
std::string json_fields(const LogRecord& record) {
  nlohmann::ordered_json fields;
  fields["message"] = record.message;
  if (!record.principal.empty()) fields["principal"] = record.principal;
  if (record.guest != 0) fields["guest"] = record.guest;
  if (record.subscription != 0) fields["subscription"] = record.subscription;
  if (!record.pattern.empty()) fields["pattern"] = record.pattern;
  // `replace`: a text that is not UTF-8 must not cost the line.
  const std::string text =
      fields.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);
}

std::string text_of(const LogRecord& record, LogFormat format) {
  return format == LogFormat::json ? json_fields(record) : printable(record.message);
}

}  // namespace

// What the writing thread does with each line: it tells of lines that were lost before this one.
class LogOutput::EventSink final : public spdlog::sinks::sink {
 public:
  // The pool's thread is who calls log(), so the pool is there.
  EventSink(LogFormat format, spdlog::details::thread_pool& pool) : format_(format), pool_(pool) {
    lines_.set_pattern(format == LogFormat::json
                           ? R"({"time":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l",%v})"
                           : "%Y-%m-%d %H:%M:%S.%e %l: %v");
  }

  void log(const spdlog::details::log_msg& line) override {
    tell_of_lost_lines();
    lines_.log(line);
  }
  void flush() override {
    const std::lock_guard lock(mutex_);
    flushed_ = true;
    changed_.notify_all();
  }
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  [[nodiscard]] bool wait_for_flush(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most, [this] { return flushed_; });
  }

 private:
  void tell_of_lost_lines() {
    const std::size_t lost = pool_.overrun_counter();
    if (lost == told_) return;
    const std::string sentence =
        std::to_string(lost - told_) + " lines of the log are lost: standard error was not read";
    told_ = lost;
    const std::string text = text_of({.level = LogLevel::warning, .message = sentence}, format_);
    lines_.log({"", spdlog::level::warn, text});
  }

  const LogFormat format_;
  spdlog::details::thread_pool& pool_;
  spdlog::sinks::stderr_sink_mt lines_;
  std::size_t told_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool flushed_ = false;
};

class LogOutput::Content {
 public:
  Content(LogFormat format, LogLevel level, std::size_t lines)
      : format_(format),
        pool_(std::make_shared<spdlog::details::thread_pool>(lines, 1)),
        sink_(std::make_shared<EventSink>(format, *pool_)),
        events_(make_logger(sink_)),
        last_words_(make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    events_->set_level(level_of(level));
    last_words_->set_pattern("fairlead-broker: %v");
  }

  void add(const LogRecord& record) {
    events_->log(level_of(record.level), spdlog::string_view_t(text_of(record, format_)));
  }
  void add_last_words(std::string_view sentence) {
    last_words_->log(spdlog::level::err, spdlog::string_view_t(printable(sentence)));
  }
  [[nodiscard]] bool finish(std::chrono::milliseconds most) {
    events_->flush();
    return sink_->wait_for_flush(most);
  }

 private:
  using Logger = std::shared_ptr<spdlog::async_logger>;
  Logger make_logger(spdlog::sink_ptr sink) const {
    auto logger = std::make_shared<spdlog::async_logger>(
        "fairlead-broker", std::move(sink), pool_, spdlog::async_overflow_policy::overrun_oldest);
    // spdlog would complain on standard error, which may be what does not work.
    logger->set_error_handler([](const std::string&) {});
    return logger;
  }

  const LogFormat format_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<EventSink> sink_;
  Logger events_;
  Logger last_words_;
};

LogOutput::LogOutput(LogFormat format, LogLevel level, std::size_t lines)
    : content_(std::make_unique<Content>(format, level, lines)) {}
LogOutput::~LogOutput() = default;

void LogOutput::add(const LogRecord& record) { content_->add(record); }
void LogOutput::add_last_words(std::string_view sentence) { content_->add_last_words(sentence); }

bool LogOutput::finish(std::chrono::milliseconds most) noexcept {
  try {
    return content_->finish(most);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace fairlead::broker::daemon
