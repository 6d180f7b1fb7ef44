// How somebody's processes come to a halt, or nearly.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace fairlead::test {

class WayToStop {
 public:
  virtual ~WayToStop() = default;
  /// Why this machine cannot; empty when it can.
  [[nodiscard]] virtual std::string unavailable() const { return {}; }
  /// Empty, or what went wrong.
  virtual std::string stop(const std::vector<pid_t>& processes) = 0;
  virtual void go_on() = 0;
};

[[nodiscard]] std::unique_ptr<WayToStop> stop_by_signal();
/// A cgroup of their own, version 2 or 1.
[[nodiscard]] std::unique_ptr<WayToStop> stop_by_freezing();
/// One hundredth of a processor.
[[nodiscard]] std::unique_ptr<WayToStop> stop_by_quota();

}  // namespace fairlead::test
