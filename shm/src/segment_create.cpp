// How segments come into being: exclusively, private to their owner, and fully allocated.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <boost/interprocess/exceptions.hpp>

#include <fairlead/shm/segment_name.hpp>

#include "segment_detail.hpp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3; glibc 2.36 does not name it
#endif

namespace fairlead::shm {
namespace {

constexpr mode_t kOwnerOnly = 0600;

[[noreturn]] void throw_name_taken(const std::string& name) {
  std::string who = "by somebody who has removed it since";
  struct stat found {};
  if (::lstat(segment_path(name).c_str(), &found) == 0) {
    who = "by a file of uid " + std::to_string(found.st_uid) + " with " +
          detail::mode_text(found.st_mode);
  }
  throw Error(ErrorCode::name_taken, "segment name " + segment_path(name) + " is taken " + who +
                                         "; remove it or choose another broker name");
}

std::size_t checked_size(const std::string& name, std::size_t bytes) {
  const std::size_t rounded = detail::round_up_to_pages(bytes);
  if (rounded == 0) {
    throw Error(ErrorCode::invalid_argument,
                "segment " + name + " cannot have " + std::to_string(bytes) + " bytes");
  }
  return rounded;
}

void check_name(const std::string& name) {
  // A slash would lead out of /dev/shm.
  if (name.empty() || name.size() > NAME_MAX || name.find('/') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "'" + name + "' cannot name a segment");
  }
}

UniqueFd create_shared_memory(const std::string& name) {
  UniqueFd made(
      ::shm_open(('/' + name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly));
  if (!made && errno == EEXIST) throw_name_taken(name);
  if (!made) throw_system("cannot create segment " + segment_path(name));
  ::fchmod(made.get(), kOwnerOnly);  // what the umask took away; check_created() looks
  return made;
}

/// The file is ours alone, whatever umask, ACL or mount option tried to make of it.
void check_created(int fd, const std::string& name) {
  struct stat made {};
  if (::fstat(fd, &made) != 0) throw_system("cannot look at segment " + name);
  if (!S_ISREG(made.st_mode) || (made.st_mode & 07777) != kOwnerOnly ||
      made.st_uid != ::geteuid() || made.st_size != 0) {
    throw Error(ErrorCode::foreign_segment,
                "segment " + segment_path(name) + " came out with uid " +
                    std::to_string(made.st_uid) + " and " + detail::mode_text(made.st_mode) +
                    " instead of our uid and 0600");
  }
}

boost::interprocess::mapped_region map_or_throw(int fd, const std::string& name,
                                                std::size_t bytes) {
  try {
    return detail::map_descriptor(fd, Access::read_write, bytes);
  } catch (const boost::interprocess::interprocess_exception& error) {
    throw_system("cannot map " + std::to_string(bytes) + " bytes of segment " + name,
                 error.get_native_error());
  }
}

UniqueFd create_memfd(const std::string& debug_name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = ::memfd_create(debug_name.c_str(), kFlags | MFD_NOEXEC_SEAL);
  // Before Linux 6.3 the flag is unknown. (It is only a courtesy: nobody executes a segment.)
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create(debug_name.c_str(), kFlags);
  if (fd < 0) throw_system("cannot create sealed segment " + debug_name);
  return UniqueFd(fd);
}

int seals_of(SealMode mode) noexcept {
  constexpr int kSize = F_SEAL_SHRINK | F_SEAL_GROW;
  switch (mode) {
    case SealMode::guest_writable:
      return kSize | F_SEAL_SEAL;
    case SealMode::broker_written:
      return kSize | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    case SealMode::later:
      break;
  }
  return kSize;
}

}  // namespace

Segment Segment::create_named(const std::string& name, std::size_t maximum_bytes,
                              std::size_t initial_bytes) {
  check_name(name);
  const std::size_t maximum = checked_size(name, maximum_bytes);
  if (initial_bytes == 0 || initial_bytes > maximum) {
    throw Error(ErrorCode::invalid_argument,
                "segment " + name + " must begin with 1 to " + std::to_string(maximum) + " bytes");
  }
  Segment segment;
  segment.name_ = name;
  segment.access_ = Access::read_write;
  segment.descriptor_ = create_shared_memory(name);
  try {
    check_created(segment.descriptor(), name);
    segment.region_ = map_or_throw(segment.descriptor(), name, maximum);
    const GrowOutcome grown = segment.grow_to(initial_bytes);
    if (grown != GrowOutcome::ok) {
      throw Error(
          grown == GrowOutcome::limit ? ErrorCode::limit : ErrorCode::out_of_memory,
          "no room for " + std::to_string(initial_bytes) + " bytes of segment " +
              segment_path(name) + ": " +
              (grown == GrowOutcome::limit
                   ? "the process's file size limit (ulimit -f) is smaller"
                   : std::string(kSharedMemoryDirectory) + " is full; `df /dev/shm` shows it"));
    }
  } catch (...) {
    segment.unlink();
    throw;
  }
  return segment;
}

Segment Segment::create_sealed(const std::string& debug_name, std::size_t bytes, SealMode mode) {
  Segment segment;
  const std::size_t size = checked_size(debug_name, bytes);
  segment.descriptor_ = create_memfd(debug_name);
  segment.name_ = debug_name;
  segment.backing_ = Backing::sealed;
  segment.access_ = Access::read_write;
  // memfds start as 0777: at once, before the descriptor can be reached by anyone's /proc lookup.
  if (::fchmod(segment.descriptor(), kOwnerOnly) != 0) {
    throw_system("cannot protect sealed segment " + debug_name);
  }
  // Sparse on purpose. A memfd lies on a kernel-internal mount without a size limit, so a hole
  // cannot turn into SIGBUS as it does on a full /dev/shm; and an untouched page costs nothing.
  if (!detail::resize(segment.descriptor(), size)) {
    throw_system("cannot size sealed segment " + debug_name);
  }
  segment.file_bytes_ = size;
  // Mapped first: afterwards FUTURE_WRITE refuses even us.
  segment.region_ = map_or_throw(segment.descriptor(), debug_name, size);
  if (::fcntl(segment.descriptor(), F_ADD_SEALS, seals_of(mode)) != 0) {
    throw_system("cannot seal segment " + debug_name);
  }
  return segment;
}

}  // namespace fairlead::shm
