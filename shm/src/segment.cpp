#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <boost/interprocess/shared_memory_object.hpp>

#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "segment_detail.hpp"

namespace fairlead::shm {
namespace {

// posix_fallocate() starts from scratch when a signal interrupts it. In pieces it gets somewhere
// even under a timer that fires every millisecond.
constexpr std::size_t kAllocationPieceBytes = 4 * 1024 * 1024;

/// 0 or an errno. What was added before a failure is given back.
int allocate(int fd, std::size_t from, std::size_t to) noexcept {
  for (std::size_t at = from; at < to;) {
    const std::size_t piece = std::min(to - at, kAllocationPieceBytes);
    const int error = ::posix_fallocate(fd, static_cast<off_t>(at), static_cast<off_t>(piece));
    if (error == EINTR) continue;
    if (error != 0) {
      // If even this fails the extra pages stay until the next shrink_to(): no harm but memory.
      [[maybe_unused]] const bool given_back = detail::resize(fd, from);
      return error;
    }
    at += piece;
  }
  return 0;
}

bool same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// An O_RDONLY descriptor of the same open file, or invalid with errno set.
UniqueFd reopen_read_only(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

std::string detail::mode_text(mode_t mode) {
  char text[32];
  std::snprintf(text, sizeof text, "mode %04o", static_cast<unsigned>(mode & 07777));
  return text;
}

bool detail::resize(int fd, std::size_t bytes) noexcept {
  int result = 0;
  do {
    result = ::ftruncate(fd, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

Segment::Segment(Segment&& other) noexcept { *this = std::move(other); }

Segment& Segment::operator=(Segment&& other) noexcept {
  if (this == &other) return *this;
  descriptor_ = std::move(other.descriptor_);
  boost::interprocess::mapped_region().swap(region_);
  region_.swap(other.region_);
  name_ = std::exchange(other.name_, {});
  file_bytes_ = std::exchange(other.file_bytes_, 0);
  backing_ = other.backing_;
  access_ = other.access_;
  return *this;
}

GrowOutcome Segment::grow_to(std::size_t bytes) noexcept {
  if (bytes <= file_bytes_) return GrowOutcome::ok;
  const std::size_t target = detail::round_up_to_pages(bytes);
  if (target == 0 || target > size() || backing_ == Backing::sealed) return GrowOutcome::limit;
  switch (allocate(descriptor(), file_bytes_, target)) {
    case 0:
      file_bytes_ = target;
      return GrowOutcome::ok;
    case EFBIG:
      return GrowOutcome::limit;
    default:
      return GrowOutcome::out_of_memory;
  }
}

bool Segment::shrink_to(std::size_t bytes) noexcept {
  const std::size_t target = detail::round_up_to_pages(bytes);
  if (backing_ == Backing::sealed || target >= file_bytes_) return true;
  if (bytes != 0 && target == 0) return false;
  if (!detail::resize(descriptor(), target)) return false;
  file_bytes_ = target;
  return true;
}

bool Segment::seal_writes() noexcept {
  return ::fcntl(descriptor(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0;
}

bool Segment::unlink() noexcept {
  if (backing_ != Backing::named || name_.empty()) return true;
  struct stat ours {};
  struct stat named {};
  const std::string path = segment_path(name_);
  if (::lstat(path.c_str(), &named) != 0) return errno == ENOENT;
  // Somebody else's file under our name is not ours to remove.
  if (::fstat(descriptor(), &ours) != 0 || !same_file(ours, named)) return true;
  return boost::interprocess::shared_memory_object::remove(name_.c_str());
}

UniqueFd Segment::duplicate_descriptor() const {
  UniqueFd copy(::fcntl(descriptor(), F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_system("cannot duplicate the descriptor of segment " + name_);
  return copy;
}

UniqueFd Segment::read_only_descriptor() const {
  if (access_ == Access::read_only) return duplicate_descriptor();
  UniqueFd reopened = reopen_read_only(descriptor());
  int error = errno;
  if (!reopened && backing_ == Backing::named) {
    // Without /proc a named segment can still be opened by its name, if that is still ours.
    reopened.reset(::open(segment_path(name_).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    error = errno;
  }
  if (!reopened) throw_system("cannot reopen segment " + name_ + " read-only", error);
  struct stat ours {};
  struct stat theirs {};
  if (::fstat(descriptor(), &ours) != 0 || ::fstat(reopened.get(), &theirs) != 0 ||
      !same_file(ours, theirs)) {
    throw Error(ErrorCode::foreign_segment,
                "segment " + segment_path(name_) + " was replaced by another file");
  }
  return reopened;
}

Segment OpenResult::value() && {
  if (!ok()) throw Error(error_code(outcome), sentence);
  return std::move(segment);
}

}  // namespace fairlead::shm
