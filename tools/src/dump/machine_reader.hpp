// Every segment of every broker that has one in a directory. Only reads; takes no lock; needs no
// broker to run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <fairlead/shm/life_lock.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "dump/model.hpp"
#include "dump/process_state.hpp"

namespace fairlead::tools::dump {

struct MachineOptions {
  std::string directory = std::string(shm::kSharedMemoryDirectory);
  std::optional<std::string> broker;  // only this one
  bool ask_brokers = true;            // for their sealed segments
  std::uint64_t monotonic_now_ns = 0;
  std::uint64_t realtime_now_ns = 0;
  std::function<ProcessState(std::uint32_t process, std::uint64_t start_clock_ticks)> process =
      [](std::uint32_t pid, std::uint64_t ticks) { return process_state(pid, ticks); };
  std::function<shm::LifeLock(int)> lock = shm::look_at_life_lock;  // of an open table
};

/// Throws Error only when the directory itself cannot be read.
[[nodiscard]] MachineDump read_machine(const MachineOptions& options);

}  // namespace fairlead::tools::dump
