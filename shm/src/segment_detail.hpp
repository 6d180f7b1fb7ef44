// What the three source files of Segment share.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <string>

#include <boost/interprocess/mapped_region.hpp>

#include <fairlead/shm/segment.hpp>

namespace fairlead::shm::detail {

/// Models Boost.Interprocess's MemoryMappable over a descriptor that somebody else owns.
class MappableDescriptor {
 public:
  explicit MappableDescriptor(int fd) noexcept : fd_(fd) {}
  boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept {
    return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(fd_);
  }

 private:
  int fd_;
};

/// Throws boost::interprocess::interprocess_exception, whose native error is the errno.
inline boost::interprocess::mapped_region map_descriptor(int fd, Access access, std::size_t bytes) {
  return {MappableDescriptor(fd),
          access == Access::read_only ? boost::interprocess::read_only
                                      : boost::interprocess::read_write,
          0, bytes};
}

inline std::size_t page_bytes() noexcept {
  static const std::size_t bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// 0 when the result does not fit.
inline std::size_t round_up_to_pages(std::size_t bytes) noexcept {
  const std::size_t mask = page_bytes() - 1;
  return bytes > static_cast<std::size_t>(PTRDIFF_MAX) - mask ? 0 : (bytes + mask) & ~mask;
}

/// ftruncate(), again when a signal interrupts it. False with errno set.
bool resize(int fd, std::size_t bytes) noexcept;

/// "mode 0644" without the file type.
std::string mode_text(mode_t mode);

}  // namespace fairlead::shm::detail
