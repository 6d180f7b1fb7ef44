// The loop that follows a program from one system call to the next.
#pragma once

#include <functional>

#include "traced_program.hpp"

namespace fairlead::test {

struct TraceEvents {
  std::function<void(pid_t)> started;
  std::function<void()> listening;
  std::function<void()> ended;
};

/// Runs the program to its end; in a thread of its own, which is then who traces it.
[[nodiscard]] TraceReport trace(const TraceOptions& options, int output, int error,
                                const TraceEvents& events);

}  // namespace fairlead::test
