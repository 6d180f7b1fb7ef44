// Which words of guests' memory the broker looks at.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fairlead::hostile {

enum class Word : std::uint8_t {
  lane_head,
  lane_newest_batch,
  lane_uncovered_visits,
  wait_count,
  arm_count,
  messages_held,
  draining,
  reports,
  report_entry,
  batches,
  ticket,
  hold,
  outbox_tail,
  outbox_ring,  // records and topics
  any_other,    // there should be none
};
inline constexpr std::size_t kWords = static_cast<std::size_t>(Word::any_other) + 1;
using WordCounts = std::array<std::uint64_t, kWords>;

[[nodiscard]] Word cursor_word(std::size_t offset) noexcept;
[[nodiscard]] Word outbox_word(std::size_t offset) noexcept;
[[nodiscard]] std::string_view to_string(Word word) noexcept;

}  // namespace fairlead::hostile
