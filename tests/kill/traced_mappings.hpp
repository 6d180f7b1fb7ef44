// Which mappings of this process are fairlead's shared memory, and their protection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fairlead::killing {

struct TracedMapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::uint64_t inode = 0;
  int descriptor = -1;  // a duplicate, to look at the file; -1: none
};

/// Of one process. Nothing here allocates: signal handlers use it, one thread at a time.
class TracedMappings {
 public:
  static constexpr std::uintptr_t kPageBytes = 4096;

  /// Those that the process has now, from /proc/self/maps.
  void find_all();
  /// Looks at what mmap() just returned.
  void add(std::uintptr_t begin, std::size_t bytes, int descriptor);
  void remove(std::uintptr_t begin, std::size_t bytes);

  [[nodiscard]] const TracedMapping* at(std::uintptr_t address) const noexcept;
  void protect_all() const noexcept;
  void open_all() const noexcept;
  static void open(std::uintptr_t page, std::size_t bytes = kPageBytes) noexcept;
  static void protect(std::uintptr_t page, std::size_t bytes = kPageBytes) noexcept;

  [[nodiscard]] const TracedMapping* begin() const noexcept { return mappings_.data(); }
  [[nodiscard]] const TracedMapping* end() const noexcept { return begin() + count_; }

 private:
  void put(const TracedMapping& mapping);

  std::array<TracedMapping, 64> mappings_{};
  std::size_t count_ = 0;
};

}  // namespace fairlead::killing
