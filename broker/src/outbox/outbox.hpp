// What the broker keeps about one publishing guest, and about one publishing principal.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/uuid.hpp>

#include "outbox/outbox_reader.hpp"
#include "outbox/patient_fan_out.hpp"
#include "outbox/receipt_writer.hpp"

namespace fairlead::broker {

using GuestId = std::uint64_t;  // never reused within a broker's life

// Who publishes through an outbox; all of it from the connection, none from the outbox (R08).
struct OutboxOwner {
  GuestId guest = 0;
  std::string principal;
  shm::Uuid capsule{};
  std::uint64_t outbox_id = 0;
};

struct Publisher;

// The two segments of a publishing guest and where we are in them.
struct Outbox {
  Outbox(OutboxOwner owner_of_it, shm::Segment outbox_segment, shm::Segment receipt_segment,
         std::uint64_t ring_bytes, std::uint64_t first_number = 1)
      : owner(std::move(owner_of_it)),
        memory(std::move(outbox_segment)),
        receipt_memory(std::move(receipt_segment)),
        reader(memory.data(), ring_bytes, first_number),
        receipts(receipt_memory.data()) {}
  ~Outbox() {
    if (!leave_) receipt_memory.unlink();
  }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// The receipts keep their name: the next broker takes over.
  void leave() noexcept { leave_ = true; }

  OutboxOwner owner;
  shm::Segment memory;          // the guest writes it
  shm::Segment receipt_memory;  // the guest reads it
  OutboxReader reader;
  ReceiptWriter receipts;
  std::uint64_t resumed_at = 0;  // number that may have been delivered in part (R34); 0 = none
  Publisher* publisher = nullptr;
  std::uint64_t active_nanoseconds = 0;  // when it last had something
  bool hot = false;                      // polled; else waiting for a kick
  bool ready = false;                    // in its publisher's queue
  bool to_ring = false;                  // something was acknowledged in this turn

 private:
  bool leave_ = false;
};

// One publishing principal: what the rotation of R33 goes over. Its messages are delivered one
// after the other, whichever of its outboxes they come from (R09).
struct Publisher {
  std::string principal;
  std::uint32_t slot = 0;                       // in the rotation
  std::size_t outboxes = 0;                     // open
  std::deque<Outbox*> ready;                    // those with something in them, in turn
  Outbox* current = nullptr;                    // whose message is being delivered
  PatientFanOut fan_out;                        // of that message
  std::uint64_t cost = 0;                       // of that message in one route
  bool charged = false;                         // something was paid for that message
  std::uint64_t patient_until_nanoseconds = 0;  // it waits for full routes; 0 = not at all
  bool in_rotation = false;
  bool waiting = false;                 // for room in full routes, or for the host's own publish
  std::uint64_t retry_nanoseconds = 0;  // when waiting: when to try again
  std::uint64_t pause_nanoseconds = 0;  // and how long the next wait will be
};

}  // namespace fairlead::broker
