#include "daemon/daemon.hpp"

#include <csignal>
#include <cstdio>
#include <string>

#include <fairlead/broker/broker.hpp>

#include "daemon/exit_codes.hpp"
#include "daemon/log_output.hpp"
#include "daemon/process_setup.hpp"
#include "daemon/service_notify.hpp"

namespace fairlead::broker::daemon {
namespace {

using Log = std::function<void(const LogRecord&)>;

BrokerOptions options_of(const CommandLine& line, const Log& log) {
  BrokerOptions options;
  options.name = line.name;
  options.socket_path = line.socket_path;
  options.policy_path = line.policy_path;
  options.log_level = line.log_level;
  options.logger = log;
  return options;
}

void reload(Broker& broker, const Log& log) {
  notify_reloading();
  std::string status = "STATUS=serving on " + broker.socket_path();
  try {
    broker.reload_policy();
  } catch (const Error& error) {
    const std::string sentence = std::string("the old policy stays: ") + error.what();
    log({.level = LogLevel::error, .message = sentence});
    status += "; " + sentence;
  }
  notify_service_manager("READY=1\n" + status);
}

void wait_for_end(Broker& broker, const sigset_t& signals, const Log& log) {
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return;
    reload(broker, log);
  }
}

}  // namespace

int serve(const CommandLine& line) {
  forbid_inspection();
  raise_descriptor_limit();
  const sigset_t signals = block_signals();
  const Log log = make_log(line.log_format, line.log_level);
  try {
    make_directory_of(line.socket_path);
    Broker broker(options_of(line, log));
    broker.start();
    notify_service_manager("READY=1\nSTATUS=serving on " + broker.socket_path());
    wait_for_end(broker, signals, log);
    notify_service_manager("STOPPING=1");
    broker.stop();
    return kExitOk;
  } catch (const Error& error) {
    std::fprintf(stderr, "fairlead-broker: %s\n", error.what());
    return exit_code_of(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fairlead-broker: %s\n", error.what());
    return kExitFailure;
  }
}

}  // namespace fairlead::broker::daemon
