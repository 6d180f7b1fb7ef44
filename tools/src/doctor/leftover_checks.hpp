// What brokers that are gone, and strangers, have left where brokers work.
#pragma once

#include <string>
#include <vector>

#include "doctor/finding.hpp"
#include "dump/model.hpp"

namespace fairlead::tools::doctor {

/// One finding per broker with something to tell, per squatted name and for all strays; a single ok
/// one when all is well.
[[nodiscard]] std::vector<Finding> judge_segments(const dump::MachineDump& machine);

enum class SocketState : std::uint8_t { live, stale, not_a_socket, unreachable };
struct SocketFacts {
  std::string path;
  SocketState state = SocketState::live;
};

/// Every *.sock of `directory`, and what the tables of `machine` name.
[[nodiscard]] std::vector<SocketFacts> look_at_sockets(const std::string& directory,
                                                       const dump::MachineDump& machine);
[[nodiscard]] std::vector<Finding> judge_sockets(const std::vector<SocketFacts>& sockets);

}  // namespace fairlead::tools::doctor
