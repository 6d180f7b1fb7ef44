// Every prefix of a scenario's stores, read as those would who find it after a crash.
#pragma once

#include <cstdint>
#include <string>

#include "scenarios.hpp"

namespace fairlead::killing {

struct EveryPrefix {
  std::uint64_t prefixes = 0;
  std::uint64_t next_brokers = 0;  // prefixes that a broker was started over
  std::string complaints;          // of the first prefix that had any
};

/// `stride`: a broker is started over each prefix that changes the route table, and over each
/// `stride`-th of the others. In processes of its own.
[[nodiscard]] EveryPrefix check_every_prefix(const Scenario& scenario, std::uint32_t stride);

}  // namespace fairlead::killing
