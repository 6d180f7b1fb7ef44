// GrowableMemory on the heap: the same writer and reader without any segment.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include <fairlead/shm/growable_memory.hpp>

namespace fairlead::tests {

// Page-aligned, zero-filled, reserved in full. `limit` plays the full file system.
class HeapMemory final : public shm::GrowableMemory {
 public:
  explicit HeapMemory(std::uint64_t bytes, std::uint64_t limit = ~std::uint64_t{0})
      : bytes_(bytes), limit_(limit) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(memory);
  }
  ~HeapMemory() override { ::munmap(data_, bytes_); }

  std::byte* data() noexcept override { return data_; }
  [[nodiscard]] std::uint64_t maximum_bytes() const noexcept override { return bytes_; }
  [[nodiscard]] Growth grow_to(std::uint64_t bytes) noexcept override {
    if (bytes > bytes_ || bytes > limit_) return Growth::no_memory;
    if (bytes > granted_) granted_ = bytes;
    return Growth::ok;
  }
  void shrink_to(std::uint64_t bytes) noexcept override { granted_ = bytes; }

  [[nodiscard]] std::uint64_t granted() const noexcept { return granted_; }
  void set_limit(std::uint64_t limit) noexcept { limit_ = limit; }

 private:
  std::byte* data_;
  std::uint64_t bytes_;
  std::uint64_t limit_;
  std::uint64_t granted_ = 0;
};

}  // namespace fairlead::tests
