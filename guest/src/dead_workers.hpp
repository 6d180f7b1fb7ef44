// Batches and kept messages of worker processes that died pin memory of the route until one of the
// guest's other workers gives it back (R28).
#pragma once

#include <fairlead/shm/layout/cursor_layout.hpp>

namespace fairlead::guest {

/// The caller holds the drain mutex: only under it does a dead worker's slot change hands. A zombie
/// still counts as alive, and so does whoever got its number. Data path; no system call as long as
/// only this process holds anything.
void give_back_slots_of_dead_workers(shm::CursorHeader& cursors) noexcept;

}  // namespace fairlead::guest
