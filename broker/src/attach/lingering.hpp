// Quota charges of memory whose guest was disconnected but lives: it may still map it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

#include "attach/event_loop.hpp"
#include "policy/quota.hpp"

namespace fairlead::broker {

// Holds each charge until the process is dead, which its pidfd tells. Where there is no such
// process (or no pidfd), nothing is held. Belongs to the service thread; charges are given back
// under the broker's mutex.
class Lingering {
 public:
  static constexpr std::uint64_t kFirstTag = std::uint64_t{1} << 63;

  Lingering(EventLoop& loop, std::mutex& mutex) noexcept : loop_(loop), mutex_(mutex) {}
  ~Lingering();
  Lingering(const Lingering&) = delete;
  Lingering& operator=(const Lingering&) = delete;

  void keep(shm::UniqueFd process, std::vector<QuotaCharge> charges);
  /// The loop reported this tag: that process is dead.
  void end(std::uint64_t tag);
  [[nodiscard]] static bool owns(std::uint64_t tag) noexcept { return tag >= kFirstTag; }

 private:
  struct Entry {
    shm::UniqueFd process;
    std::vector<QuotaCharge> charges;
  };
  void release(std::vector<QuotaCharge>& charges);

  EventLoop& loop_;
  std::mutex& mutex_;
  std::map<std::uint64_t, Entry> entries_;
  std::uint64_t next_tag_ = kFirstTag;
};

/// Invalid when there is no such process, when it is our own, or without such a system call.
[[nodiscard]] shm::UniqueFd open_process(pid_t process) noexcept;

}  // namespace fairlead::broker
