// SIGINT, SIGTERM and SIGHUP as something that a loop can poll. The second one ends the program at
// once, so that a call that waits for a broker cannot hold it.
#pragma once

namespace fairlead::tools {

// One at a time in a program. A signal that was ignored when the program started stays ignored.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that came, or 0.
  [[nodiscard]] int received() const noexcept;
  /// Readable once one came.
  [[nodiscard]] int descriptor() const noexcept;
};

}  // namespace fairlead::tools
