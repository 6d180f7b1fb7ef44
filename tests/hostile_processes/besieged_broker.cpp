#include "besieged_broker.hpp"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "intruder.hpp"
#include "support/program.hpp"

namespace fairlead::hostile_processes {

namespace {

std::string policy() {
  std::string users;
  for (std::size_t slot = 0; slot < kIntruders; ++slot)
    users += (slot == 0 ? "" : ", ") + std::to_string(intruder_user(slot));
  return R"([broker]
attach_deadline_ms = 500

[[principal]]
name = "honest.*"
uid = "self"
publish = ["h.*", "shared.*"]
subscribe = ["*"]
admission = "all"
hard_cap_factor = 16

[[principal]]
name = "evil.*"
uid = [)" +
         users + R"(]
publish = ["shared.*", "x.*"]
subscribe = ["*"]
admission = "all"
maximum_budget_bytes = 1048576
[principal.quota]
guests = 6
routes = 5
total_budget_bytes = 8388608
descriptors = 48
attaches_per_minute = 1000000
outbox_bytes = 524288
)";
}

test::DaemonOptions options() {
  test::DaemonOptions options;
  options.policy = policy();
  // What was freed is kept for a while, and would look as if it were in use.
  options.environment = {"ASAN_OPTIONS=quarantine_size_mb=4:malloc_context_size=8",
                         "UBSAN_OPTIONS=print_stacktrace=1",
                         "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"};
  return options;
}

}  // namespace

BesiegedBroker::BesiegedBroker() : daemon_(options()) {
  // For intruders of other users to find the socket.
  std::filesystem::permissions(daemon_.directory(), std::filesystem::perms(0755));
}

bool BesiegedBroker::lives() const {
  std::ifstream file("/proc/" + std::to_string(daemon_.pid()) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t end = line.rfind(") ");
  return end != std::string::npos && line[end + 2] != 'Z';
}

Holdings BesiegedBroker::holdings() const {
  Holdings held;
  const std::string process = "/proc/" + std::to_string(daemon_.pid());
  std::error_code error;
  for (std::filesystem::directory_iterator entry(process + "/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++held.descriptors;
    std::error_code gone;
    held.names += " " + std::filesystem::read_symlink(entry->path(), gone).string();
  }
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) held.anonymous_kilobytes = std::stoull(line.substr(8));
  }
  for (const std::string& segment : daemon_.segments()) {
    ++held.segments;
    held.names += " " + segment;
  }
  return held;
}

std::size_t BesiegedBroker::check_honest_sums() const {
  const auto dump = test::run_to_end(test::fairlead({"dump", "--json", "--broker", name()}));
  const auto json = nlohmann::json::parse(dump.output, nullptr, false);
  if (json.is_discarded()) throw std::runtime_error("dump fails: " + dump.error);
  std::size_t routes = 0;
  for (const auto& segment : json["brokers"].at(0)["segments"]) {
    if (!segment.contains("route")) continue;
    const auto& route = segment["route"];
    const std::string owner = route["owner"];
    if (!owner.starts_with("honest.")) continue;
    ++routes;
    for (const char* const unit : {"messages", "bytes"}) {
      if (route[unit]["known"] == true && route[unit]["holds"] != true)
        throw std::runtime_error("a sum of " + owner + "'s route does not hold: " + route.dump());
    }
  }
  return routes;
}

int BesiegedBroker::end() {
  daemon_.signal(SIGTERM);
  return daemon_.exit_code();
}

}  // namespace fairlead::hostile_processes
