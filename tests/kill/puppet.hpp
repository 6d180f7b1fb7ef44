// A process that does what it is told, until it is killed at one point of that.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include <fairlead/guest/shared_route.hpp>

#include "actors.hpp"
#include "step.hpp"
#include "support/channel.hpp"

namespace fairlead::killing {

class StoreLog;

enum class PointKind : std::uint8_t { stores, calls };
[[nodiscard]] const char* to_string(PointKind kind) noexcept;

/// Make it before the process that makes it has threads or connections. It is dead, and has let go
/// of everything, when this object is gone.
class Puppet {
 public:
  /// `kill_at`: the point, from 1, counted since arm(); 0: none.
  Puppet(const Place& place, PointKind kind, std::uint64_t kill_at, StoreLog* log = nullptr);
  ~Puppet();
  Puppet(const Puppet&) = delete;
  Puppet& operator=(const Puppet&) = delete;

  /// The reply's `alive` is false when it died of it, or before.
  Reply perform(const Step& step);
  void join(const guest::SharedRoute& shared);
  void arm();
  /// False when it has died.
  bool disarm();
  /// Does not wait. True when it is dead, and the kernel has closed what it had.
  [[nodiscard]] bool died();
  /// Returns when it is dead: then the kernel has closed what it had.
  void finish();
  [[nodiscard]] std::uint64_t points() const noexcept { return points_->load(); }

 private:
  void serve(const Place& place, test::Channel channel);
  Reply ask(const std::string& frame, const std::vector<int>& descriptors = {});

  PointKind kind_;
  std::uint64_t kill_at_;
  StoreLog* log_;
  std::atomic<std::uint64_t>* points_;  // shared with it
  test::Channel channel_;
  pid_t child_ = -1;      // to be waited for: it, or what traces it
  pid_t performer_ = -1;  // itself
  bool alive_ = true;
};

}  // namespace fairlead::killing
