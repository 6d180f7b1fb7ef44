#include "dead_workers.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace fairlead::guest {
namespace {

bool is_dead(std::uint32_t owner, pid_t ourselves) noexcept {
  const auto process = static_cast<pid_t>(owner);
  return process > 0 && process != ourselves && ::kill(process, 0) != 0 && errno == ESRCH;
}

void give_back(std::atomic<std::uint64_t>& slot, const std::atomic<std::uint32_t>& owner,
               pid_t ourselves) noexcept {
  if (slot.load(std::memory_order_acquire) == 0) return;
  if (!is_dead(owner.load(std::memory_order_relaxed), ourselves)) return;
  slot.store(0, std::memory_order_release);  // sync: ticket
}

}  // namespace

void give_back_slots_of_dead_workers(shm::CursorHeader& cursors) noexcept {
  const pid_t ourselves = ::getpid();
  for (std::uint32_t slot = 0; slot < shm::kTicketSlots; ++slot) {
    give_back(cursors.tickets[slot].epoch, cursors.ticket_owners[slot], ourselves);
  }
  for (std::uint32_t slot = 0; slot < shm::kHoldSlots; ++slot) {
    give_back(cursors.holds[slot], cursors.hold_owners[slot], ourselves);
  }
}

}  // namespace fairlead::guest
