// Stops a process at each of its store instructions to fairlead's shared memory, without a change
// to the code that stores: the mappings are made read-only, a store faults, the handler counts it,
// lets this one instruction through by a single step, and makes the page read-only again. A
// repeated string instruction (how memset clears a page) is two points: before it and half-way.
//
// Stores of several threads count one after the other. One that another thread makes to the very
// page that is open for a step passes uncounted, so scenarios have one active thread at a time.
#pragma once

#include <atomic>
#include <cstdint>

namespace fairlead::killing {

class StoreLog;

namespace store_tracer {

/// x86-64, and no sanitizer that wants the signals for itself.
inline constexpr bool kSupported =
#if defined(__x86_64__) && !FAIRLEAD_SANITIZED
    true;
#else
    false;
#endif

/// From now on each store of this process counts in `points`, which may lie in shared memory. The
/// process kills itself right before store number `kill_at`, the first being 1; 0: never. With a
/// `log` it notes what each store changed. All that it maps later is traced as well.
void arm(std::atomic<std::uint64_t>& points, std::uint64_t kill_at, StoreLog* log = nullptr);
void disarm();

}  // namespace store_tracer
}  // namespace fairlead::killing
