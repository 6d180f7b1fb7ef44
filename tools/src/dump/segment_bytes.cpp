#include "dump/segment_bytes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include <fairlead/shm/untrusted.hpp>

namespace fairlead::tools::dump {

bool FileBytes::read(std::uint64_t offset, void* to, std::size_t bytes) const noexcept {
  constexpr auto kLargestOffset = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (!shm::fits(offset, bytes, kLargestOffset)) return false;
  auto* at = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_.get(), at, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

std::uint64_t FileBytes::size() const noexcept {
  struct stat file {};
  if (::fstat(descriptor_.get(), &file) != 0 || file.st_size < 0) return 0;
  return static_cast<std::uint64_t>(file.st_size);
}

}  // namespace fairlead::tools::dump
