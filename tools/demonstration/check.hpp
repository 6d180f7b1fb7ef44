// The subscribing side: puts every principal's stream together and compares it byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fairlead::demonstration {

struct CheckOptions {
  std::string name;       // of this guest, for people
  std::string socket;     // empty: the inherited descriptor
  std::string principal;  // empty: as the policy or the keeper says
  std::string file;
  std::string result;  // where the JSON goes; "-" = standard output
  std::size_t principals = 100;
  std::uint64_t budget_bytes = 512 * 1024;
  std::uint64_t nap_milliseconds = 0;   // a slow guest: sleeps so long after every 20,000 messages
  bool linger = false;                  // stay attached after the result until standard input ends
  std::uint64_t milliseconds = 60'000;  // longest silence before it gives up
};

// Runs until all streams have ended; 0 when every quiet stream was complete and what the flooder
// lost is exactly what was reported. Throws Error.
int check(const CheckOptions& options);

}  // namespace fairlead::demonstration
