#include "doctor/leftover_checks.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>

#include "text/printable.hpp"

namespace fairlead::tools::doctor {
namespace {

using dump::BrokerDump;
using dump::BrokerState;
using dump::SegmentDump;
using dump::Verdict;

constexpr const char* kSegments = "segments";
constexpr const char* kSockets = "sockets";

std::string counted(std::size_t number, const char* noun) {
  return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
}

// Named ones, the table included.
template <class Visit>
void each_file(const BrokerDump& broker, Visit&& visit) {
  if (broker.table_segment) visit(*broker.table_segment);
  for (const SegmentDump& segment : broker.segments) {
    if (!segment.file.empty()) visit(segment);
  }
}

std::size_t routes_of(const BrokerDump& broker) {
  if (!broker.table) return 0;
  const auto& entries = broker.table->entries;
  return static_cast<std::size_t>(std::count_if(
      entries.begin(), entries.end(),
      [](const dump::EntryDump& entry) { return entry.kind == shm::SegmentKind::route; }));
}

void judge_dead_broker(const BrokerDump& broker, const std::string& directory,
                       std::vector<Finding>& findings) {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  each_file(broker, [&](const SegmentDump& segment) {
    ++files;
    bytes += segment.allocated_bytes;
  });
  // No garbage: guests that live on want them.
  const std::size_t routes = routes_of(broker);
  const std::string kept = routes == 0 ? "" : ", with them " + counted(routes, "route");
  findings.push_back({kSegments, Status::warn,
                      "broker " + broker.name +
                          (broker.state == BrokerState::handed_over ? " handed over and left "
                                                                    : " is gone and left ") +
                          counted(files, "segment") + " (" + bytes_text(bytes) + ")" + kept,
                      std::string(routes == 0 ? "its next start removes them"
                                              : "start it again: its next life takes the routes "
                                                "over, and their guests go on without a loss") +
                          "; if there will be none: rm " + directory + "/fairlead." + broker.name +
                          ".*"});
}

void judge_each_segment(const BrokerDump& broker, const std::string& directory,
                        std::vector<Finding>& findings) {
  each_file(broker, [&](const SegmentDump& segment) {
    const bool squatted = segment.verdict == Verdict::squatted;
    const bool foreign = segment.verdict == Verdict::foreign;
    if (!squatted && !foreign) return;
    findings.push_back({kSegments, squatted ? Status::fail : Status::warn,
                        segment.file + " is not what its name says: " + segment.problems.front(),
                        "ask uid " + std::to_string(segment.owner_user) +
                            " why, and remove it: rm " + directory + '/' + segment.file});
  });
}

SocketState state_of(const std::string& path) {
  constexpr auto kPatience = std::chrono::milliseconds(200);
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return SocketState::unreachable;
  if (!S_ISSOCK(found.st_mode)) return SocketState::not_a_socket;
  try {
    (void)shm::connect_control(path, kPatience);
    return SocketState::live;
  } catch (const Error& error) {
    return error.code() == ErrorCode::broker_gone ? SocketState::stale : SocketState::unreachable;
  }
}

std::set<std::string> sockets_in(const std::string& directory) {
  std::set<std::string> paths;
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), &::closedir);
  if (!handle) return paths;
  while (const dirent* entry = ::readdir(handle.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string file = entry->d_name;
    if (file.ends_with(".sock")) paths.insert(std::string(directory).append("/").append(file));
  }
  return paths;
}

}  // namespace

std::vector<Finding> judge_segments(const dump::MachineDump& machine) {
  std::vector<Finding> findings;
  for (const BrokerDump& broker : machine.brokers) {
    if (broker.state == BrokerState::dead || broker.state == BrokerState::stopped ||
        broker.state == BrokerState::handed_over) {
      judge_dead_broker(broker, machine.directory, findings);
    }
    judge_each_segment(broker, machine.directory, findings);
  }
  if (!machine.strays.empty()) {
    findings.push_back({kSegments, Status::warn,
                        counted(machine.strays.size(), "file") + " in " + machine.directory +
                            " with our prefix and no name of ours, such as " +
                            machine.strays.front().file,
                        "find out whose they are and remove them"});
  }
  if (findings.empty()) {
    findings.push_back({kSegments, Status::ok,
                        counted(machine.brokers.size(), "broker") + " in " + machine.directory +
                            ", nothing left behind",
                        ""});
  }
  return findings;
}

std::vector<SocketFacts> look_at_sockets(const std::string& directory,
                                         const dump::MachineDump& machine) {
  std::set<std::string> paths = sockets_in(directory);
  for (const BrokerDump& broker : machine.brokers) {
    struct stat found {};
    if (!broker.table || broker.table->socket_path.empty()) continue;
    // A dead broker's may be gone long since.
    if (::lstat(broker.table->socket_path.c_str(), &found) != 0) continue;
    paths.insert(broker.table->socket_path);
  }
  std::vector<SocketFacts> sockets;
  sockets.reserve(paths.size());
  for (const std::string& path : paths) sockets.push_back({path, state_of(path)});
  return sockets;
}

std::vector<Finding> judge_sockets(const std::vector<SocketFacts>& sockets) {
  std::vector<Finding> findings;
  std::size_t live = 0;
  for (const SocketFacts& socket : sockets) {
    switch (socket.state) {
      case SocketState::live:
        ++live;
        break;
      case SocketState::stale:
        findings.push_back({kSockets, Status::warn, "nobody listens on " + socket.path,
                            "a broker that starts there replaces it; else rm " + socket.path});
        break;
      case SocketState::not_a_socket:
        findings.push_back({kSockets, Status::warn, socket.path + " is no socket",
                            "remove it, or no broker can listen there"});
        break;
      case SocketState::unreachable:
        findings.push_back({kSockets, Status::warn, "this user cannot connect to " + socket.path,
                            "let its broker use another --socket, or run this as its user"});
        break;
    }
  }
  if (findings.empty()) {
    findings.push_back(
        {kSockets, Status::ok, counted(live, "broker") + " listening, no stale socket", ""});
  }
  return findings;
}

}  // namespace fairlead::tools::doctor
