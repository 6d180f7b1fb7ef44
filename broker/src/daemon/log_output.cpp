#include "daemon/log_output.hpp"

#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

}  // namespace

std::function<void(const LogRecord&)> make_log(LogFormat format, LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>("fairlead-broker",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level_of(level));
  logger->flush_on(spdlog::level::debug);
  if (format == LogFormat::json) {
    logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l",%v})");
  } else {
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
  }
  return [logger, format](const LogRecord& record) {
    logger->log(level_of(record.level), "{}",
                format == LogFormat::json ? json_fields(record) : printable(record.message));
  };
}

}  // namespace fairlead::broker::daemon
