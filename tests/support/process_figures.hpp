// What a process uses, as the kernel counts it.
#pragma once

#include <sys/types.h>

#include <optional>

namespace fairlead::test {

/// Nothing where the kernel does not tell: descriptors and mappings of a process that may not be
/// inspected, as the broker is, are for root.
struct ProcessFigures {
  std::optional<double> descriptors;
  std::optional<double> mappings;
  std::optional<double> threads;
  std::optional<double> private_kib;  // resident anonymous memory
  std::optional<double> shared_kib;   // resident shared memory: segments
};

[[nodiscard]] ProcessFigures figures_of_process(pid_t process);

}  // namespace fairlead::test
