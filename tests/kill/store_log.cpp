#include "store_log.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace fairlead::killing {

StoreLog& StoreLog::make() {
  void* memory = ::mmap(nullptr, sizeof(StoreLog), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return *new (memory) StoreLog;
}

void StoreLog::put(StoreEvent::Kind kind, std::uint32_t file, std::uint64_t value, const void* data,
                   std::size_t bytes) noexcept {
  if (count_ == kMostEvents || used_ + bytes > kMostData) std::abort();
  std::memcpy(data_ + used_, data, bytes);
  events_[count_++] = {kind, file, value, static_cast<std::uint32_t>(bytes),
                       static_cast<std::uint32_t>(used_)};
  used_ += bytes;
}

std::uint32_t StoreLog::index_of(std::uint64_t inode) const noexcept {
  std::uint32_t index = 0;
  while (index < files_count_ && files_[index].inode != inode) ++index;
  return index;
}

void StoreLog::file(std::uint64_t inode, int descriptor) noexcept {
  const std::uint32_t index = index_of(inode);
  struct stat now {};
  if (::fstat(descriptor, &now) != 0) return;
  if (index == files_count_) {
    if (files_count_ == kMostFiles) std::abort();
    char link[64];
    char path[256] = {};
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t bytes = ::readlink(link, path, sizeof path - 1);
    files_[files_count_++] = {inode, 0, false};
    put(StoreEvent::Kind::file, index, inode, path,
        bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  }
  File& file = files_[index];
  // No store between the two: then the name went first, as a broker does it. That it does, the
  // kills at its system calls show.
  if (now.st_nlink == 0 && !file.gone) {
    file.gone = true;
    put(StoreEvent::Kind::gone, index, 0, "", 0);
  }
  if (const auto size = static_cast<std::uint64_t>(now.st_size); size != file.bytes) {
    file.bytes = size;
    put(StoreEvent::Kind::size, index, size, "", 0);
  }
}

void StoreLog::store(std::uint64_t inode, std::uint64_t offset, const void* bytes,
                     std::size_t count) noexcept {
  put(StoreEvent::Kind::store, index_of(inode), offset, bytes, count);
}

}  // namespace fairlead::killing
