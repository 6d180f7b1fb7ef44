#include "words.hpp"

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>

namespace fairlead::hostile {

namespace {

struct Place {
  Word word;
  std::size_t begin;
  std::size_t bytes;
};

constexpr Place kLane[] = {
    {Word::lane_head, offsetof(shm::LaneCursor, head), 8},
    {Word::lane_newest_batch,
     offsetof(shm::LaneCursor, rotation) + offsetof(shm::RotationEntry, newest_batch), 2},
    {Word::lane_uncovered_visits,
     offsetof(shm::LaneCursor, rotation) + offsetof(shm::RotationEntry, uncovered_visits), 4},
};
constexpr Place kHeader[] = {
    {Word::wait_count, offsetof(shm::CursorHeader, wait_count), 4},
    {Word::arm_count, offsetof(shm::CursorHeader, arm_count), 4},
    {Word::messages_held, offsetof(shm::CursorHeader, messages_held), 8},
    {Word::draining, offsetof(shm::CursorHeader, draining), 4},
    {Word::reports, offsetof(shm::CursorHeader, reports), 8},
    {Word::batches, offsetof(shm::CursorHeader, batches), 8},
    {Word::ticket, offsetof(shm::CursorHeader, tickets), sizeof(shm::CursorHeader::tickets)},
    {Word::hold, offsetof(shm::CursorHeader, holds), sizeof(shm::CursorHeader::holds)},
    {Word::report_entry, offsetof(shm::CursorHeader, report_log),
     sizeof(shm::CursorHeader::report_log)},
};

template <std::size_t count>
Word find(const Place (&places)[count], std::size_t offset) noexcept {
  for (const Place& place : places) {
    if (offset >= place.begin && offset - place.begin < place.bytes) return place.word;
  }
  return Word::any_other;
}

}  // namespace

Word cursor_word(std::size_t offset) noexcept {
  if (offset < shm::kCursorLanesOffset) return find(kHeader, offset);
  return find(kLane, (offset - shm::kCursorLanesOffset) % sizeof(shm::LaneCursor));
}

Word outbox_word(std::size_t offset) noexcept {
  if (offset >= shm::kOutboxRingOffset) return Word::outbox_ring;
  return offset == offsetof(shm::OutboxHeader, tail) ? Word::outbox_tail : Word::any_other;
}

std::string_view to_string(Word word) noexcept {
  constexpr std::string_view kNames[] = {"lane_head",
                                         "lane_newest_batch",
                                         "lane_uncovered_visits",
                                         "wait_count",
                                         "arm_count",
                                         "messages_held",
                                         "draining",
                                         "reports",
                                         "report_entry",
                                         "batches",
                                         "ticket",
                                         "hold",
                                         "outbox_tail",
                                         "outbox_ring",
                                         "any_other"};
  static_assert(std::size(kNames) == kWords);
  return kNames[static_cast<std::size_t>(word)];
}

}  // namespace fairlead::hostile
