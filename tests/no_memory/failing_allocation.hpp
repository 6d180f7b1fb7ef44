// Lets one allocation of this program fail, by its number.
#pragma once

#include <cstdint>

namespace fairlead::test {

enum class Whose : std::uint8_t { this_thread, other_threads };

/// While it lives, allocation `number` (from 0) throws std::bad_alloc, once. One at a time.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::uint64_t number, Whose whose = Whose::this_thread) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// Whether there were so many that one failed.
  [[nodiscard]] bool failed() const noexcept;
};

}  // namespace fairlead::test
