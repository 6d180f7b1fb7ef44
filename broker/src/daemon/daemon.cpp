#include "daemon/daemon.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>

#include <fairlead/broker/broker.hpp>
#include <fairlead/broker/policy.hpp>

#include "daemon/closing_words.hpp"
#include "daemon/exit_codes.hpp"
#include "daemon/log_output.hpp"
#include "daemon/process_setup.hpp"
#include "daemon/service_notify.hpp"

namespace fairlead::broker::daemon {
namespace {

// Nobody may have to wait for the end of a daemon whose log is not read.
constexpr std::chrono::milliseconds kLastLinesTakeAtMost{1'000};

BrokerOptions options_of(const CommandLine& line, LogOutput& log) {
  BrokerOptions options;
  options.name = line.name;
  options.socket_path = line.socket_path;
  options.policy_path = line.policy_path;
  options.log_level = line.log_level;
  options.logger = [&log](const LogRecord& record) { log.add(record); };
  return options;
}

void reload(Broker& broker, LogOutput& log) {
  notify_reloading();
  std::string status = "STATUS=serving on " + broker.socket_path();
  const std::string stays = "the old policy stays: ";
  try {
    broker.reload_policy();
  } catch (const PolicyError& error) {
    for (const std::string& problem : error.problems()) {
      log.add({.level = LogLevel::error, .message = stays + problem});
    }
    status += "; " + stays + error.what();
  } catch (const Error& error) {
    const std::string sentence = stays + error.what();
    log.add({.level = LogLevel::error, .message = sentence});
    status += "; " + sentence;
  }
  notify_service_manager("READY=1\n" + status);
}

/// The signal that ends it.
int wait_for_end(Broker& broker, const sigset_t& signals, LogOutput& log) {
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return signal;
    reload(broker, log);
  }
}

int serve_until_signalled(const CommandLine& line, const sigset_t& signals, LogOutput& log) {
  try {
    make_directory_of(line.socket_path);
    Broker broker(options_of(line, log));
    broker.start();
    notify_service_manager("READY=1\nSTATUS=serving on " + broker.socket_path());
    const int signal = wait_for_end(broker, signals, log);
    notify_service_manager("STOPPING=1");
    if (line.hand_over && signal == SIGTERM) {
      broker.hand_over();
    } else {
      broker.stop();
    }
    const std::string words = closing_words(broker.statistics());
    log.add({.message = words});
    return kExitOk;
  } catch (const PolicyError& error) {
    for (const std::string& problem : error.problems()) log.add_last_words(problem);
    return exit_code_of(error.code());
  } catch (const Error& error) {
    log.add_last_words(error.what());
    return exit_code_of(error.code());
  } catch (const std::bad_alloc&) {
    log.add_last_words("out of memory");
    return kExitNoMemory;
  } catch (const std::exception& error) {
    log.add_last_words(error.what());
    return kExitFailure;
  }
}

}  // namespace

int serve(const CommandLine& line) try {
  forbid_inspection();
  close_inherited_descriptors();
  fill_standard_descriptors();
  raise_descriptor_limit();
  const sigset_t signals = block_signals();
  LogOutput log(line.log_format, line.log_level);
  const int exit_code = serve_until_signalled(line, signals, log);
  if (!log.finish(kLastLinesTakeAtMost)) ::_exit(exit_code);
  return exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "fairlead-broker: %s\n", error.what());  // there is no log
  return kExitFailure;
}

}  // namespace fairlead::broker::daemon
