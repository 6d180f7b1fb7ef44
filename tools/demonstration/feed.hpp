// The publishing side: many principals that stream a text, and one that floods.
#pragma once

#include <cstddef>
#include <string>

namespace fairlead::demonstration {

struct FeedOptions {
  std::string socket;
  std::string file;
  std::size_t principals = 100;
  std::size_t flood = 100;  // messages of the flooder for each message of one principal
  double seconds = 8;       // the quiet principals' streams take about this long
};

// Attaches once per principal, as that principal; returns the process's exit code. Throws Error.
int feed(const FeedOptions& options);

}  // namespace fairlead::demonstration
