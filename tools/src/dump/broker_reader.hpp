// All segments of one broker.
#pragma once

#include <string>
#include <vector>

#include <fairlead/shm/segment_name.hpp>

#include "dump/machine_reader.hpp"
#include "dump/model.hpp"

namespace fairlead::tools::dump {

/// `files` are those of `options.directory` that carry the broker's name. Never throws for what it
/// finds in them.
[[nodiscard]] BrokerDump read_broker(const std::string& name,
                                     const std::vector<shm::ListedSegment>& files,
                                     const MachineOptions& options);

}  // namespace fairlead::tools::dump
