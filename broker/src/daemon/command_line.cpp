#include "daemon/command_line.hpp"

#include <optional>

#include <cxxopts.hpp>

namespace fairlead::broker::daemon {
namespace {

constexpr const char* kEpilogue = R"(
Example: fairlead-broker --name main --policy /etc/fairlead/policy.toml

SIGTERM or SIGINT ends the broker and removes its segments and socket; with --hand-over
SIGTERM leaves them to the next broker of that name, and guests go on there. SIGHUP
reads the policy file again; a bad file keeps the old policy.

Exit codes: 0 ended as asked, 1 failed, 2 wrong options, 3 bad policy file, 4 the name is
taken, 5 the socket path is taken, 6 no memory. See fairlead-broker(8).)";

std::optional<LogLevel> parse_level(const std::string& text) {
  for (const LogLevel level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
    if (text == to_string(level)) return level;
  }
  return std::nullopt;
}

cxxopts::Options make_options() {
  cxxopts::Options options("fairlead-broker",
                           "Keeps routes in shared memory and delivers messages to guests.");
  options.add_options()  //
      ("name", "names the broker and its segments: 1 to 48 of [A-Za-z0-9_-]",
       cxxopts::value<std::string>()->default_value("main"), "NAME")  //
      ("socket", "where guests attach; default $XDG_RUNTIME_DIR/fairlead/NAME.sock, or below /run",
       cxxopts::value<std::string>(), "PATH")  //
      ("policy", "who may do what; without one only this user may attach",
       cxxopts::value<std::string>(), "FILE")                                            //
      ("hand-over", "SIGTERM: leave routes and guests to the next broker of that name")  //
      ("log-level", "debug, info, warning or error",
       cxxopts::value<std::string>()->default_value("info"), "LEVEL")  //
      ("log-format", "text or json, one line each on standard error",
       cxxopts::value<std::string>()->default_value("text"), "FORMAT")  //
      ("h,help", "show this and exit")                                  //
      ("version", "show the version and exit");
  return options;
}

CommandLine wrong(std::string text) {
  CommandLine line;
  line.action = CommandLine::Action::wrong;
  line.text = std::move(text);
  return line;
}

CommandLine interpret(const cxxopts::ParseResult& given, const cxxopts::Options& options) {
  CommandLine line;
  if (given.count("help") > 0) {
    line.action = CommandLine::Action::help;
    line.text = options.help() + kEpilogue;
    return line;
  }
  if (given.count("version") > 0) {
    line.action = CommandLine::Action::version;
    line.text = "fairlead-broker " FAIRLEAD_VERSION;
    return line;
  }
  if (!given.unmatched().empty()) return wrong("unknown argument '" + given.unmatched()[0] + "'");
  line.name = given["name"].as<std::string>();
  line.socket_path = given.count("socket") > 0 ? given["socket"].as<std::string>()
                                               : default_socket_path(line.name);
  if (given.count("policy") > 0) {
    line.policy_path = given["policy"].as<std::string>();
    // Without a policy other rules hold: not what somebody means whose variable is empty.
    if (line.policy_path.empty()) return wrong("--policy names no file");
  }
  line.hand_over = given.count("hand-over") > 0;
  const std::string level = given["log-level"].as<std::string>();
  const auto known = parse_level(level);
  if (!known) return wrong("unknown log level '" + level + "'");
  line.log_level = *known;
  const std::string format = given["log-format"].as<std::string>();
  if (format != "text" && format != "json") return wrong("unknown log format '" + format + "'");
  line.log_format = format == "json" ? LogFormat::json : LogFormat::text;
  return line;
}

}  // namespace

CommandLine parse_command_line(int count, const char* const* arguments) {
  cxxopts::Options options = make_options();
  try {
    return interpret(options.parse(count, arguments), options);
  } catch (const cxxopts::exceptions::exception& error) {
    return wrong(error.what());
  }
}

}  // namespace fairlead::broker::daemon
