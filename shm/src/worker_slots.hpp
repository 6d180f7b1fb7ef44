// Tickets and hold slots: which worker of a guest has which, and what becomes of a dead one's
// (R28).
//
// A slot is two words: its owner, the process that has it (0: nobody), and its pin, which is what
// the broker looks at. Whoever puts itself into the owner's word by compare-and-swap, and nobody
// else, may then write the pin:
//
//   claim       owner: 0 -> us                 then the caller sets the pin
//   give_back   pin = 0, then owner = 0        only if the owner is us
//   sweep       owner: a dead one -> us, then as give_back
//
// That is the whole rule: no lock is needed, neither the drain mutex nor another. A process that
// dies between two of these steps leaves an owner that is dead, and the next sweep ends it. As no
// process identity comes twice, a sweep that is late finds another owner and leaves the slot alone.
// Scribbled words cost their guest slots, or pins, of that route.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/process_identity.hpp>

namespace fairlead::shm {

[[nodiscard]] inline std::atomic<std::uint64_t>& pin_of(TicketSlot& slot) noexcept {
  return slot.batch;
}
[[nodiscard]] inline std::atomic<std::uint64_t>& pin_of(std::atomic<std::uint64_t>& slot) noexcept {
  return slot;
}

// Thread- and process-safe, never blocks. A view of words that outlive it.
template <class Slot>
class WorkerSlots {
 public:
  using Owner = std::atomic<ProcessIdentity>;

  WorkerSlots(std::span<Slot> slots, std::span<Owner> owners) noexcept
      : slots_(slots), owners_(owners) {}

  /// A slot that is ours from now on, its pin is whatever was left there; nothing when all are
  /// taken, also after those of dead workers were swept.
  [[nodiscard]] std::optional<std::uint32_t> claim() noexcept {
    auto slot = claim_free();
    if (!slot) {
      sweep(is_dead);
      slot = claim_free();
    }
    return slot;
  }

  /// False when it is not ours: it was never given to this process (a forked child has its parent's
  /// numbers), or its words were scribbled on. Then nothing happens.
  bool give_back(std::uint32_t slot) noexcept {
    if (slot >= owners_.size()) return false;
    if (owners_[slot].load(std::memory_order_relaxed) != this_process()) return false;
    end(slot);
    return true;
  }

  /// Frees the slots of owners that are `dead`, which is asked about others than us only.
  template <class Dead>
  void sweep(Dead dead) noexcept {
    const ProcessIdentity ours = this_process();
    ProcessIdentity alive = ours;  // seen last: an owner of many slots is asked about once
    for (std::uint32_t slot = 0; slot < owners_.size(); ++slot) {
      ProcessIdentity owner = owners_[slot].load(std::memory_order_relaxed);
      if (owner == 0 || owner == ours || owner == alive) continue;
      if (!dead(owner)) {
        alive = owner;
      } else if (owners_[slot].compare_exchange_strong(owner, ours, std::memory_order_acq_rel)) {
        end(slot);
      }
    }
  }

 private:
  [[nodiscard]] std::optional<std::uint32_t> claim_free() noexcept {
    const ProcessIdentity ours = this_process();
    for (std::uint32_t slot = 0; slot < owners_.size(); ++slot) {
      ProcessIdentity nobody = 0;
      if (owners_[slot].load(std::memory_order_relaxed) != 0) continue;
      // Acquire: what the owner before us read is read before the broker sees our pin and concludes
      // that that one is gone.  // sync: ticket
      if (owners_[slot].compare_exchange_strong(nobody, ours, std::memory_order_acq_rel)) {
        return slot;
      }
    }
    return std::nullopt;
  }

  void end(std::uint32_t slot) noexcept {
    pin_of(slots_[slot]).store(0, std::memory_order_release);  // sync: ticket
    owners_[slot].store(0, std::memory_order_release);         // sync: ticket
  }

  std::span<Slot> slots_;
  std::span<Owner> owners_;
};

}  // namespace fairlead::shm
