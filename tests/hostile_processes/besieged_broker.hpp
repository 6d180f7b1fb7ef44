// The broker's process as seen from outside: what it holds, whether its sums hold, what it says.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/daemon_process.hpp"

namespace fairlead::hostile_processes {

struct Holdings {
  std::uint64_t descriptors = 0;
  std::string names{};                    // of descriptors and segments
  std::uint64_t anonymous_kilobytes = 0;  // memory that is not shared
  std::uint64_t segments = 0;             // named ones, its table among them
};

class BesiegedBroker {
 public:
  BesiegedBroker();

  [[nodiscard]] bool ready() { return daemon_.ready(); }
  [[nodiscard]] const std::string& name() const noexcept { return daemon_.name(); }
  [[nodiscard]] std::string socket_path() const { return daemon_.socket_path(); }
  [[nodiscard]] bool lives() const;
  [[nodiscard]] Holdings holdings() const;
  /// R30 of honest guests' routes: how many there are. Throws when a sum does not hold.
  [[nodiscard]] std::size_t check_honest_sums() const;
  /// Ends it as a service manager does: its exit code. Its log is complete then.
  int end();
  [[nodiscard]] std::string log() { return daemon_.standard_error(); }
  [[nodiscard]] std::size_t segments_left() const { return daemon_.segments().size(); }

 private:
  test::Daemon daemon_;
};

}  // namespace fairlead::hostile_processes
