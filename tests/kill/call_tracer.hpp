// Stops a process at the entry and at the exit of each of its system calls, by ptrace.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace fairlead::killing::call_tracer {

/// For a child that does nothing else: runs `body` in a child of its own and returns when that one
/// has ended. While armed, each entry and each exit of a system call of any of its threads counts
/// in `points`; it is killed at number `kill_at`, before the call or before it sees the result. 0:
/// never.
void run(const std::function<void()>& body, std::atomic<std::uint64_t>& points,
         std::uint64_t kill_at);

/// Called by what `body` runs.
void arm() noexcept;
void disarm() noexcept;

/// Empty, or why this machine lets nobody trace its own child.
[[nodiscard]] const char* why_not();

}  // namespace fairlead::killing::call_tracer
