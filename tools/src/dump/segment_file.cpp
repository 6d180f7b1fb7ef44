#include "dump/segment_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fairlead/shm/error.hpp>

#include "dump/guest_segments.hpp"
#include "dump/header_reader.hpp"

namespace fairlead::tools::dump {
namespace {

void take_over(const struct stat& file, SegmentDump& segment) {
  constexpr std::uint64_t kBlockBytes = 512;
  segment.file_bytes = static_cast<std::uint64_t>(file.st_size);
  segment.allocated_bytes = static_cast<std::uint64_t>(file.st_blocks) * kBlockBytes;
  segment.owner_user = file.st_uid;
}

const char* type_of(mode_t mode) noexcept {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISREG(mode)) return "a regular file";
  return "a device";
}

std::string mode_text(mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

std::string user_text(uid_t user) { return "uid " + std::to_string(user); }

bool check_type(const struct stat& file, SegmentDump& segment) {
  if (S_ISREG(file.st_mode)) return true;
  blame(segment, Verdict::squatted,
        std::string("this is ") + type_of(file.st_mode) + " of " + user_text(file.st_uid));
  return false;
}

bool check_file(const struct stat& file, std::optional<uid_t> owner, SegmentDump& segment) {
  take_over(file, segment);
  if (!check_type(file, segment)) return false;
  if (owner && file.st_uid != *owner) {
    blame(segment, Verdict::squatted,
          "it belongs to " + user_text(file.st_uid) + ", its broker to " + user_text(*owner));
    return false;
  }
  if ((file.st_mode & 07777) != 0600) {
    blame(segment, Verdict::foreign,
          "it has mode " + mode_text(file.st_mode) + ", a broker's segments have 0600");
    return false;
  }
  return true;
}

void blame_open(const std::string& path, int error, std::optional<uid_t> owner,
                SegmentDump& segment) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    blame(segment, Verdict::missing, "it is gone");
    return;
  }
  take_over(file, segment);
  if (!check_type(file, segment)) return;
  if (owner && file.st_uid != *owner) {
    (void)check_file(file, owner, segment);
    return;
  }
  blame(segment, Verdict::unreadable,
        error == EACCES
            ? "it belongs to " + user_text(file.st_uid) + "; run as that user or as root"
            : "it cannot be opened: " + system_error_text(error));
}

}  // namespace

bool describe_file(int descriptor, SegmentDump& segment) {
  struct stat file {};
  if (::fstat(descriptor, &file) != 0) return false;
  take_over(file, segment);
  return true;
}

std::optional<shm::UniqueFd> open_segment(const std::string& path, std::optional<uid_t> owner,
                                          SegmentDump& segment) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  // A directory or a device opens, too; a device even does something when it does.
  struct stat before {};
  if (::lstat(path.c_str(), &before) == 0 && !S_ISREG(before.st_mode)) {
    take_over(before, segment);
    (void)check_type(before, segment);
    return std::nullopt;
  }
  shm::UniqueFd descriptor(::open(path.c_str(), kFlags));
  if (!descriptor) {
    blame_open(path, errno, owner, segment);
    return std::nullopt;
  }
  struct stat file {};
  if (::fstat(descriptor.get(), &file) != 0) {
    blame(segment, Verdict::unreadable, "it cannot be looked at: " + system_error_text(errno));
    return std::nullopt;
  }
  if (!check_file(file, owner, segment)) return std::nullopt;
  return descriptor;
}

void read_content(const SegmentBytes& bytes, const ReadContext& context, SegmentDump& segment) {
  switch (segment.kind) {
    case shm::SegmentKind::route:
      read_route(bytes, context, segment);
      break;
    case shm::SegmentKind::receipt:
      read_receipts(bytes, segment);
      break;
    case shm::SegmentKind::outbox:
      read_outbox(bytes, segment);
      break;
    case shm::SegmentKind::cursor:
      read_cursors(bytes, segment);
      break;
    case shm::SegmentKind::none:
    case shm::SegmentKind::table:
    case shm::SegmentKind::pool:
      break;
  }
}

}  // namespace fairlead::tools::dump
