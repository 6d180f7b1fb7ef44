// The numbers of a broker's name that go on from one life to the next, in whatever release (R08).
#pragma once

#include <cstdint>
#include <optional>

#include <fairlead/shm/layout/continuity_layout.hpp>

namespace fairlead::broker {

struct ContinuityNumbers {
  std::uint64_t epoch = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_subscription = 1;
  friend bool operator==(const ContinuityNumbers&, const ContinuityNumbers&) = default;
};

/// The newest copy that is whole. Nothing when the block is not one, or no copy makes sense.
[[nodiscard]] std::optional<ContinuityNumbers> read_continuity(
    const shm::ContinuityBlock& block) noexcept;

/// Replaces the older copy. Killed at any store, it leaves the numbers as before or as asked for.
void write_continuity(shm::ContinuityBlock& block, const ContinuityNumbers& numbers) noexcept;

}  // namespace fairlead::broker
