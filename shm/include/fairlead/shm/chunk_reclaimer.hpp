// Decides when a chunk that was consumed may be used again: epoch-based reclamation (Fraser 2004)
// with the guest as the reader and its batches as the epochs, plus hold slots for messages that are
// kept longer than their batch.
//
// A worker that takes a batch first writes the batch's number into a ticket, and into each lane
// before it claims from it. Whoever sees the claim sees both. A chunk is stamped with the newest
// batch that claimed from its lane so far; after the lane's head has passed it, it is retired, and
// freed when every ticket in use has a higher number and no hold slot names it. A chunk of which
// every record was evicted never comes here: no batch refers to it, and a reader that is just
// looking at it will fail to claim. So a batch that is held for long keeps what it and older ones
// claimed, however late the broker looks, and no evicted memory. Tickets, numbers and holds are the
// guest's word: lying costs nothing but the liar's own segment.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <vector>

#include <fairlead/shm/chunk_arena.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>

namespace fairlead::shm {

class ChunkReclaimer {
 public:
  ChunkReclaimer(const CursorHeader& cursors, ChunkArena& arena) noexcept
      : cursors_(cursors), arena_(arena) {}

  // The newest batch that claimed from a lane, by the low bits of its number that stand there; at
  // worst a later one, never an earlier. Of an honest guest, never 0. Call it after the head that
  // shows the claim was loaded.
  [[nodiscard]] std::uint64_t stamp_of_claim(std::uint16_t newest_batch) const noexcept;
  // The batch whose drain call may be looking at something which no later one can find any more;
  // 0 when none is running.
  [[nodiscard]] std::uint64_t stamp_of_now() const noexcept;
  // Every record in the chunk is behind its lane's head, and no reader starts from inside it.
  // `stamp` is that of the last claim in it.
  // May throw std::bad_alloc; the chunk is then lost to the segment, nothing else.
  void retire(std::uint64_t offset, std::uint64_t bytes, std::uint64_t stamp);
  // The guest may keep that many messages (R22); hold slots beyond are not looked at. kHoldSlots
  // unless said otherwise, and at most.
  void limit_holds(std::uint32_t slots) noexcept { hold_slots_ = std::min(slots, kHoldSlots); }
  // Frees what may be freed; returns the bytes. Costs one pass over tickets and holds if anything
  // waits.
  std::uint64_t reclaim() noexcept;

  [[nodiscard]] std::uint64_t retired_bytes() const noexcept { return retired_bytes_; }

 private:
  struct Retired {
    std::uint64_t offset;
    std::uint64_t bytes;
    std::uint64_t stamp;
  };
  struct Younger {
    bool operator()(const Retired& one, const Retired& other) const noexcept {
      return one.stamp > other.stamp;
    }
  };

  [[nodiscard]] std::uint64_t oldest_ticket() const noexcept;
  void read_holds() noexcept;
  [[nodiscard]] bool held(std::uint64_t chunk) const noexcept;
  void free(const Retired& chunk) noexcept;
  std::uint64_t free_or_keep(const Retired& chunk) noexcept;

  const CursorHeader& cursors_;
  ChunkArena& arena_;
  std::priority_queue<Retired, std::vector<Retired>, Younger> waiting_;  // for tickets
  std::vector<Retired> held_;                      // past all tickets, named by a hold slot
  std::array<std::uint64_t, kHoldSlots> holds_{};  // chunks that are held, sorted, in this pass
  std::ptrdiff_t hold_count_ = 0;
  std::uint32_t hold_slots_ = kHoldSlots;
  std::uint64_t retired_bytes_ = 0;
};

}  // namespace fairlead::shm
