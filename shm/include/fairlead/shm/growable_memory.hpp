// The bytes of a segment as its writer sees them, whatever stands behind: named shared memory, a
// sealed memfd, or plain heap in a test.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fairlead::shm {

// The whole of [data, data + maximum_bytes) is mapped for the object's life; only what was granted
// by grow_to may be touched. Not thread-safe: a segment has one writer.
class GrowableMemory {
 public:
  enum class Growth { ok, no_memory };

  GrowableMemory() = default;
  GrowableMemory(const GrowableMemory&) = delete;
  GrowableMemory& operator=(const GrowableMemory&) = delete;
  virtual ~GrowableMemory() = default;

  [[nodiscard]] virtual std::byte* data() noexcept = 0;
  [[nodiscard]] virtual std::uint64_t maximum_bytes() const noexcept = 0;
  // Makes [0, bytes) safe to touch: allocated, so that a full file system shows here, not as
  // SIGBUS.
  [[nodiscard]] virtual Growth grow_to(std::uint64_t bytes) noexcept = 0;
  // Gives the pages behind `bytes` back, if the backing can.
  virtual void shrink_to(std::uint64_t bytes) noexcept = 0;
};

}  // namespace fairlead::shm
