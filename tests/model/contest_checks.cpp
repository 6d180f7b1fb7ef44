// What must hold of a route's counters and memory, whatever happened before.
#include <algorithm>

#include "contest_state.hpp"

namespace fairlead::test {
namespace {

std::uint64_t value(const std::atomic<std::uint64_t>& word) {
  return word.load(std::memory_order_relaxed);
}

}  // namespace

void ContestState::check_counters() {
  for (Contestant& each : contestants_) {
    if (each.model) check_counters(each);
  }
}

void ContestState::check_counters(Contestant& contestant) {
  const shm::RouteCounters& counters = contestant.ends->header().counters;
  const ReferenceRoute& model = *contestant.model;
  const ReferenceRoute::Totals& totals = model.totals();
  // R30: what the broker knows of the guest may be old, the sums hold all the same.
  expect_same("published = delivered + queued + evicted", value(counters.published),
              value(counters.delivered) + value(counters.queued) + value(counters.evicted));
  expect_same("the same in bytes", value(counters.published_bytes),
              value(counters.delivered_bytes) + value(counters.queued_bytes) +
                  value(counters.evicted_bytes));
  expect_same("published", value(counters.published), totals.published);
  expect_same("published bytes", value(counters.published_bytes), totals.published_bytes);
  expect_same("evicted", value(counters.evicted), totals.evicted);
  expect_same("evicted bytes", value(counters.evicted_bytes), totals.evicted_bytes);
  expect_same("refused", value(counters.refused), totals.refused);
  for (std::size_t reason = 0; reason < std::size(totals.refused_by_reason); ++reason)
    expect_same("refused for one reason", value(counters.refused_by_reason[reason]),
                totals.refused_by_reason[reason]);
  expect_that(value(counters.delivered) <= totals.delivered, "more delivered than taken");
  expect_that(value(counters.queued_high_water) >= totals.queued_high_water &&
                  value(counters.queued_high_water) <= totals.published,
              "the high-water mark of messages is wrong");
  expect_that(value(counters.queued_bytes_high_water) >= totals.queued_bytes_high_water &&
                  value(counters.queued_bytes_high_water) <= contestant.budget,
              "the high-water mark of bytes is wrong");
  const shm::CursorHeader& cursors = contestant.ends->cursor_header();
  expect_same("held", value(cursors.messages_held), contestant.held_messages());
  expect_same("visits without cover", value(cursors.uncovered_visits), model.uncovered_visits());
}

// After maintain() the broker knows all that the guest did.
void ContestState::check_lanes(Contestant& contestant) {
  const shm::RouteCounters& counters = contestant.ends->header().counters;
  const ReferenceRoute& model = *contestant.model;
  expect_same("delivered", value(counters.delivered), model.totals().delivered);
  expect_same("delivered bytes", value(counters.delivered_bytes), model.totals().delivered_bytes);
  expect_same("queued", value(counters.queued), model.queued());
  expect_same("queued bytes", value(counters.queued_bytes), model.queued_bytes());
  expect_same("active lanes", value(counters.active_lanes), model.lanes().size());
  // The guest's word (a message that is in a batch and kept counts twice), but never more than it
  // got.
  expect_same("held as shown", value(counters.held_messages),
              std::min(contestant.held_messages(), model.totals().delivered));
  const shm::RouteWriter& writer = real(contestant).writer();
  for (const auto& [principal, lane] : model.lanes()) {
    expect_that(writer.in_use(lane->slot) && writer.principal(lane->slot) == principal,
                "the lane of '" + principal + "' is somebody else's");
    expect_same("depth of a lane", writer.depth(lane->slot), lane->queue.size());
    expect_same("bytes of a lane", writer.queued_bytes(lane->slot), lane->bytes);
  }
}

// R10, R22: nothing is queued and nothing held, so nothing but the first page of lanes takes
// memory.
void ContestState::check_nothing_left(Contestant& contestant) {
  const shm::RouteHeader& header = contestant.ends->header();
  const std::uint64_t pages = header.lane_pages[0].load() != 0 ? 1 : 0;
  expect_same("memory retired at the end", value(header.counters.arena_retired_bytes), 0U);
  expect_same("memory used at the end", value(header.counters.arena_used_bytes),
              pages * sizeof(shm::LanePage));
  expect_same("lanes at the end", value(header.counters.active_lanes), 0U);
}

}  // namespace fairlead::test
