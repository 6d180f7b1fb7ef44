#include "dump/machine_reader.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "dump/broker_reader.hpp"

namespace fairlead::tools::dump {
namespace {

using FilesOfBroker = std::vector<shm::ListedSegment>;

// What such a name belongs to, for --broker: "fairlead.main.x" is main's affair.
bool belongs_to(const std::string& file, const std::string& broker) {
  const std::string prefix = std::string(shm::kSegmentNamePrefix) + broker;
  return file == prefix || file.starts_with(prefix + '.');
}

}  // namespace

MachineDump read_machine(const MachineOptions& options) {
  MachineDump machine;
  machine.directory = options.directory;
  machine.taken_realtime_ns = options.realtime_now_ns;
  std::map<std::string, FilesOfBroker> brokers;
  for (shm::ListedSegment& listed : shm::list_segments(options.directory)) {
    if (listed.name) {
      if (options.broker && listed.name->broker != *options.broker) continue;
      brokers[listed.name->broker].push_back(std::move(listed));
    } else if (!options.broker || belongs_to(listed.file, *options.broker)) {
      machine.strays.push_back({listed.file, "no broker gives such a name"});
    }
  }
  for (const auto& [name, files] : brokers) {
    machine.brokers.push_back(read_broker(name, files, options));
  }
  return machine;
}

}  // namespace fairlead::tools::dump
