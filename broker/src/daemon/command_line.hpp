// What the daemon was asked for.
#pragma once

#include <string>

#include <fairlead/broker/options.hpp>

namespace fairlead::broker::daemon {

enum class LogFormat : std::uint8_t { text, json };

struct CommandLine {
  enum class Action : std::uint8_t { serve, help, version, wrong };
  Action action = Action::serve;
  std::string text;  // of help, version, or what is wrong, in one line
  std::string name = "main";
  std::string socket_path;
  std::string policy_path;
  bool hand_over = false;
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
};

[[nodiscard]] CommandLine parse_command_line(int count, const char* const* arguments);

}  // namespace fairlead::broker::daemon
