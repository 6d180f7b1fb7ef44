// Opening what somebody else made: every check comes before the mapping, every refusal has a name.
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <utility>

#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "segment_detail.hpp"

namespace fairlead::shm {
namespace {

OpenResult refuse(OpenOutcome outcome, std::string sentence) {
  return {outcome, std::move(sentence), Segment{}};
}

HeaderVerdict verdict(OpenOutcome outcome, std::string sentence) {
  return {outcome, std::move(sentence)};
}

/// The header's bytes as they stand in the file; fields are copied out, never aliased.
class HeaderCopy {
 public:
  bool read(int fd) noexcept {
    return ::pread(fd, bytes_.data(), bytes_.size(), 0) == static_cast<ssize_t>(bytes_.size());
  }
  template <class T>
  T field(std::size_t offset) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  std::uint64_t magic() const { return field<std::uint64_t>(offsetof(SegmentHeader, magic)); }
  std::uint32_t version() const { return field<std::uint32_t>(offsetof(SegmentHeader, version)); }
  std::uint64_t layout() const {
    return field<std::uint64_t>(offsetof(SegmentHeader, layout_hash));
  }
  SegmentKind kind() const { return field<SegmentKind>(offsetof(SegmentHeader, kind)); }

 private:
  std::array<std::byte, sizeof(SegmentHeader)> bytes_{};
};

/// Owner, mode, size and type; nothing of the content.
HeaderVerdict check_file(int fd, const struct stat& file, const OpenOptions& options,
                         const std::string& what) {
  if (!S_ISREG(file.st_mode)) {
    return verdict(OpenOutcome::not_regular, what + " is not a regular file");
  }
  if (options.owner && file.st_uid != *options.owner) {
    return verdict(OpenOutcome::wrong_owner, what + " belongs to uid " +
                                                 std::to_string(file.st_uid) + ", expected uid " +
                                                 std::to_string(*options.owner));
  }
  if (options.check_mode && (file.st_mode & 07777) != 0600) {
    return verdict(OpenOutcome::wrong_mode,
                   what + " has " + detail::mode_text(file.st_mode) + ", expected mode 0600");
  }
  if (options.required_seals != 0) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & options.required_seals) != options.required_seals) {
      return verdict(OpenOutcome::wrong_seals, what + " has seals " + std::to_string(seals) +
                                                   ", needs " +
                                                   std::to_string(options.required_seals));
    }
  }
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (size < sizeof(SegmentHeader)) {
    return verdict(OpenOutcome::too_small,
                   what + " has " + std::to_string(size) + " bytes, too few for a segment");
  }
  if (size < options.minimum_file_bytes) {
    return verdict(OpenOutcome::truncated, what + " was cut to " + std::to_string(size) +
                                               " bytes, expected at least " +
                                               std::to_string(options.minimum_file_bytes));
  }
  return {};
}

OpenOutcome outcome_of_mapping_error(int error) noexcept {
  return error == ENOMEM ? OpenOutcome::out_of_memory : OpenOutcome::system_error;
}

OpenResult refuse_open(const std::string& path, const OpenOptions& options, int error) {
  if (error == ENOENT) return refuse(OpenOutcome::missing, "there is no segment " + path);
  if (error == ELOOP || error == ENXIO || error == EISDIR) {
    return refuse(OpenOutcome::not_regular, path + " is not a regular file");
  }
  // A squatter's file that we may not even read: say whose it is, that is what helps.
  struct stat file {};
  if (error == EACCES && ::lstat(path.c_str(), &file) == 0) {
    const HeaderVerdict found = check_file(-1, file, options, path);
    if (found.outcome == OpenOutcome::wrong_owner) return refuse(found.outcome, found.sentence);
  }
  return refuse(OpenOutcome::system_error, "cannot open " + path + ": " + system_error_text(error));
}

/// A memfd made by create_sealed(). Files in /dev/shm report F_SEAL_SEAL alone.
bool is_sealed(int fd) noexcept {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

}  // namespace

HeaderVerdict check_segment_header(int descriptor, const std::string& what,
                                   const OpenOptions& options) {
  HeaderCopy header;
  if (!header.read(descriptor)) {
    return verdict(OpenOutcome::too_small, what + " is too short to hold a segment header");
  }
  if (header.version() == 0 && (header.magic() == 0 || header.magic() == kSegmentMagic)) {
    return verdict(OpenOutcome::not_ready, what + " is not finished yet, or its maker died");
  }
  if (header.magic() != kSegmentMagic) {
    return verdict(OpenOutcome::wrong_magic, what + " is not a fairlead segment");
  }
  if (header.version() != kLayoutVersion) {
    return verdict(OpenOutcome::wrong_version,
                   what + " has format version " + std::to_string(header.version()) +
                       ", this build reads version " + std::to_string(kLayoutVersion));
  }
  // The version is published last, so what is read after having seen it is complete; what came
  // along in the same read may not be.  sync: segment-ready
  if (!header.read(descriptor)) {
    return verdict(OpenOutcome::too_small, what + " was cut while it was looked at");
  }
  if (header.layout() != kLayoutHash) {
    return verdict(OpenOutcome::wrong_layout,
                   what +
                       " was made by a build with another struct layout; use programs of one "
                       "fairlead release and architecture");
  }
  if (options.kind && header.kind() != *options.kind) {
    return verdict(OpenOutcome::wrong_kind,
                   what + " is a " + std::string(to_string(header.kind())) + " segment, expected " +
                       std::string(to_string(*options.kind)));
  }
  return {};
}

OpenResult Segment::map_checked(UniqueFd descriptor, Access access, const OpenOptions& options,
                                const std::string& what) {
  struct stat file {};
  if (::fstat(descriptor.get(), &file) != 0) {
    return refuse(OpenOutcome::system_error,
                  "cannot look at " + what + ": " + system_error_text(errno));
  }
  HeaderVerdict found = check_file(descriptor.get(), file, options, what);
  if (found.outcome == OpenOutcome::ok && options.check_header) {
    found = check_segment_header(descriptor.get(), what, options);
  }
  if (found.outcome != OpenOutcome::ok) return refuse(found.outcome, std::move(found.sentence));

  const auto size = static_cast<std::size_t>(file.st_size);
  const std::size_t bytes = options.map_bytes == 0 ? size : options.map_bytes;
  OpenResult result;
  Segment& segment = result.segment;
  segment.backing_ = is_sealed(descriptor.get()) ? Backing::sealed : Backing::named;
  if (segment.backing_ == Backing::sealed && bytes > size) {
    return refuse(OpenOutcome::truncated, what + " has " + std::to_string(size) +
                                              " bytes and is sealed, expected " +
                                              std::to_string(bytes));
  }
  try {
    segment.region_ = detail::map_descriptor(descriptor.get(), access, bytes);
  } catch (const boost::interprocess::interprocess_exception& error) {
    return refuse(outcome_of_mapping_error(error.get_native_error()),
                  "cannot map " + std::to_string(bytes) + " bytes of " + what + ": " +
                      system_error_text(error.get_native_error()));
  }
  segment.descriptor_ = std::move(descriptor);
  segment.file_bytes_ = size;
  segment.access_ = access;
  result.outcome = OpenOutcome::ok;
  return result;
}

OpenResult Segment::open_named(const std::string& name, Access access, const OpenOptions& options) {
  const std::string path = segment_path(name);
  if (name.empty() || name.find('/') != std::string::npos) {
    return refuse(OpenOutcome::missing, "'" + name + "' cannot name a segment");
  }
  // Not through shm_open(): a FIFO that somebody put there would block it for ever.
  const int mode = access == Access::read_only ? O_RDONLY : O_RDWR;
  UniqueFd descriptor(::open(path.c_str(), mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!descriptor) return refuse_open(path, options, errno);
  OpenResult result = map_checked(std::move(descriptor), access, options, "segment " + path);
  result.segment.name_ = name;
  return result;
}

OpenResult Segment::open_named_read_only(const std::string& name, const OpenOptions& options) {
  return open_named(name, Access::read_only, options);
}

OpenResult Segment::open_named_read_write(const std::string& name, const OpenOptions& options) {
  // A broker must never take over what another uid can write, whatever the caller forgot to ask.
  OpenOptions strict = options;
  if (!strict.owner) strict.owner = ::geteuid();
  return open_named(name, Access::read_write, strict);
}

OpenResult Segment::adopt_descriptor(UniqueFd descriptor, Access access,
                                     const OpenOptions& options) {
  return map_checked(std::move(descriptor), access, options, "the received descriptor");
}

std::string_view to_string(OpenOutcome outcome) noexcept {
  constexpr std::array<std::string_view, 15> kNames = {
      "ok",           "missing",    "not_ready",   "wrong_magic",   "wrong_version",
      "wrong_layout", "wrong_kind", "wrong_owner", "wrong_mode",    "wrong_seals",
      "too_small",    "truncated",  "not_regular", "out_of_memory", "system_error"};
  static_assert(kNames.size() == static_cast<std::size_t>(OpenOutcome::system_error) + 1);
  const auto index = static_cast<std::size_t>(outcome);
  return index < kNames.size() ? kNames[index] : "unknown";
}

ErrorCode error_code(OpenOutcome outcome) noexcept {
  switch (outcome) {
    case OpenOutcome::missing:
      return ErrorCode::not_found;
    case OpenOutcome::not_ready:
      return ErrorCode::not_ready;
    case OpenOutcome::wrong_version:
      return ErrorCode::wrong_version;
    case OpenOutcome::wrong_layout:
      return ErrorCode::wrong_layout;
    case OpenOutcome::wrong_magic:
    case OpenOutcome::wrong_kind:
    case OpenOutcome::wrong_owner:
    case OpenOutcome::wrong_mode:
    case OpenOutcome::wrong_seals:
    case OpenOutcome::not_regular:
      return ErrorCode::foreign_segment;
    case OpenOutcome::too_small:
    case OpenOutcome::truncated:
      return ErrorCode::truncated;
    case OpenOutcome::out_of_memory:
      return ErrorCode::out_of_memory;
    case OpenOutcome::ok:
    case OpenOutcome::system_error:
      break;
  }
  return ErrorCode::system;
}

}  // namespace fairlead::shm
