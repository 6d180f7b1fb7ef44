// GrowableMemory of which only what was granted can be touched: anything else is a fault.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include <fairlead/shm/growable_memory.hpp>

namespace fairlead::test {

/// `limit` plays the full file system.
class GuardedMemory final : public shm::GrowableMemory {
 public:
  explicit GuardedMemory(std::uint64_t bytes, std::uint64_t limit = ~std::uint64_t{0})
      : bytes_(round_up(bytes)), limit_(limit) {
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(memory);
  }
  ~GuardedMemory() override { ::munmap(data_, bytes_); }

  [[nodiscard]] std::byte* data() noexcept override { return data_; }
  [[nodiscard]] std::uint64_t maximum_bytes() const noexcept override { return bytes_; }
  [[nodiscard]] Growth grow_to(std::uint64_t bytes) noexcept override {
    const std::uint64_t wanted = round_up(bytes);
    if (wanted > bytes_ || bytes > limit_) return Growth::no_memory;
    if (wanted <= granted_) return Growth::ok;
    if (::mprotect(data_ + granted_, wanted - granted_, PROT_READ | PROT_WRITE) != 0)
      return Growth::no_memory;
    granted_ = wanted;
    return Growth::ok;
  }
  void shrink_to(std::uint64_t bytes) noexcept override {
    const std::uint64_t kept = round_up(bytes);
    if (kept >= granted_) return;
    ::madvise(data_ + kept, granted_ - kept, MADV_DONTNEED);
    ::mprotect(data_ + kept, granted_ - kept, PROT_NONE);
    granted_ = kept;
  }

  [[nodiscard]] std::uint64_t granted() const noexcept { return granted_; }
  void set_limit(std::uint64_t limit) noexcept { limit_ = limit; }

 private:
  static std::uint64_t round_up(std::uint64_t bytes) noexcept {
    return (bytes + 4095) / 4096 * 4096;
  }

  std::byte* data_ = nullptr;
  std::uint64_t bytes_;
  std::uint64_t limit_;
  std::uint64_t granted_ = 0;
};

}  // namespace fairlead::test
