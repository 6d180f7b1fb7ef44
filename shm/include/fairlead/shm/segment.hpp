// A piece of shared memory with a SegmentHeader at its start: its descriptor and its mapping.
//
// A segment is mapped once, at its greatest size. A named one (POSIX shared memory, /dev/shm) has a
// file that grows and shrinks underneath that mapping; a sealed one (memfd) has its full size from
// the start. Bytes beyond file_bytes() must not be touched: that is SIGBUS.
//
// Not thread-safe as an object; the memory is whatever its layout says. The destructor unmaps and
// closes but never unlinks: a named segment outlives its maker until unlink().
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/interprocess/mapped_region.hpp>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/layout/segment_header.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::shm {

enum class Backing : std::uint8_t { named, sealed };
enum class Access : std::uint8_t { read_only, read_write };

enum class SealMode : std::uint8_t {
  guest_writable,  // SHRINK | GROW | SEAL: whoever holds it may write, nobody may resize
  broker_written,  // as above and FUTURE_WRITE: only mappings made before the seal may write
  later,           // SHRINK | GROW: for a pool, whose owner maps it first; see seal_writes()
};

enum class GrowOutcome : std::uint8_t { ok, out_of_memory, limit };

/// Why a segment could not be opened, by name. Nothing is mapped unless it is `ok`.
enum class OpenOutcome : std::uint8_t {
  ok,
  missing,        // no such name
  not_ready,      // the version word is still zero: its maker has not finished, or died
  wrong_magic,    // not a fairlead segment
  wrong_version,  // made by a fairlead with another format
  wrong_layout,   // same format number, other struct layout
  wrong_kind,     // a fairlead segment, but not the kind that was asked for
  wrong_owner,    // belongs to another uid than expected
  wrong_mode,     // others than the owner may touch it
  wrong_seals,    // a received memfd lacks a required seal
  too_small,      // shorter than a SegmentHeader
  truncated,      // shorter than the caller needs it to be
  not_regular,    // a symbolic link, FIFO, socket, directory...
  out_of_memory,  // the kernel refuses the mapping (memory or vm.max_map_count)
  system_error,   // anything else; the sentence has the errno text
};

std::string_view to_string(OpenOutcome outcome) noexcept;
/// The ErrorCode that a control call reports for it.
ErrorCode error_code(OpenOutcome outcome) noexcept;

struct OpenOptions {
  std::optional<uid_t> owner;            // empty: any uid is accepted
  std::optional<SegmentKind> kind;       // empty: any kind
  std::uint64_t minimum_file_bytes = 0;  // a shorter file is `truncated`
  std::uint64_t map_bytes = 0;           // 0: the size of the file at this moment
  int required_seals = 0;                // F_SEAL_* bits; for received descriptors
  bool check_header = true;              // off: maps anything that passes the other checks
  bool check_mode = true;                // off: for descriptors that came over a trusted socket
};

struct OpenResult;

class Segment {
 public:
  Segment() noexcept = default;
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;
  ~Segment() = default;

  /// Creates /dev/shm/<name> exclusively with mode 0600, allocates its first `initial_bytes` before
  /// anything touches them, and maps all of `maximum_bytes` read-write. The file is all zero. Sizes
  /// are rounded up to pages. Throws Error: name_taken (and who has it), out_of_memory, limit,
  /// system.
  [[nodiscard]] static Segment create_named(const std::string& name, std::size_t maximum_bytes,
                                            std::size_t initial_bytes);

  /// Creates a memfd of `bytes` (rounded up to pages), mode 0600, maps it read-write and seals it.
  /// `debug_name` only shows in /proc/PID/maps. Throws Error: out_of_memory, limit, unsupported,
  /// system.
  [[nodiscard]] static Segment create_sealed(const std::string& debug_name, std::size_t bytes,
                                             SealMode mode);

  /// Opens /dev/shm/<name>. Never throws for what it finds there, never blocks, follows no link.
  /// Owner, mode and header are checked before anything is mapped.
  [[nodiscard]] static OpenResult open_named_read_only(const std::string& name,
                                                       const OpenOptions& options);
  /// The same for the next broker, which takes over the route table. Whatever is missing between
  /// the file and `options.map_bytes` is to be had through grow_to().
  [[nodiscard]] static OpenResult open_named_read_write(const std::string& name,
                                                        const OpenOptions& options);

  /// Maps a descriptor that came from the broker (guests only: a broker never maps a guest's).
  [[nodiscard]] static OpenResult adopt_descriptor(UniqueFd descriptor, Access access,
                                                   const OpenOptions& options);

  /// Makes [0, bytes) of the file safe to touch. Already so: ok and no system call. Data path.
  [[nodiscard]] GrowOutcome grow_to(std::size_t bytes) noexcept;

  /// Gives the memory beyond `bytes` (rounded up to pages) back; what lies there reads as zero
  /// after the next grow_to(). Whoever still reads there gets SIGBUS: the caller knows that nobody
  /// does. False when the kernel refuses. A sealed segment keeps its size: true and nothing
  /// happens.
  bool shrink_to(std::size_t bytes) noexcept;

  /// For SealMode::later: forbids every further writable mapping and every further seal. False when
  /// the kernel refuses: somebody else sealed it first.
  [[nodiscard]] bool seal_writes() noexcept;

  /// Removes the name if it still leads to this very segment. True when it is gone afterwards.
  bool unlink() noexcept;

  /// A second descriptor of the same memory that cannot be mapped writable, to be sent to guests.
  /// Needs /proc for a sealed segment. Throws Error.
  [[nodiscard]] UniqueFd read_only_descriptor() const;
  /// A second descriptor with the same rights as descriptor(). Throws Error.
  [[nodiscard]] UniqueFd duplicate_descriptor() const;

  [[nodiscard]] bool valid() const noexcept { return descriptor_.valid(); }
  [[nodiscard]] std::byte* data() const noexcept {
    return static_cast<std::byte*>(region_.get_address());
  }
  /// Bytes mapped; the file may be shorter.
  [[nodiscard]] std::size_t size() const noexcept { return region_.get_size(); }
  /// Bytes of the file that this object knows to be allocated (named) or present (sealed).
  [[nodiscard]] std::size_t file_bytes() const noexcept { return file_bytes_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data(), size()}; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
  [[nodiscard]] Backing backing() const noexcept { return backing_; }
  [[nodiscard]] Access access() const noexcept { return access_; }
  /// Without a leading slash; the debug name of a sealed segment, empty for an adopted one.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  static OpenResult open_named(const std::string& name, Access access, const OpenOptions& options);
  static OpenResult map_checked(UniqueFd descriptor, Access access, const OpenOptions& options,
                                const std::string& what);

  UniqueFd descriptor_;
  boost::interprocess::mapped_region region_;
  std::string name_;
  std::size_t file_bytes_ = 0;
  Backing backing_ = Backing::named;
  Access access_ = Access::read_only;
};

struct OpenResult {
  OpenOutcome outcome = OpenOutcome::system_error;
  std::string sentence;  // empty when ok
  Segment segment;       // valid when ok

  [[nodiscard]] bool ok() const noexcept { return outcome == OpenOutcome::ok; }
  /// The segment, or throws Error(error_code(outcome), sentence).
  [[nodiscard]] Segment value() &&;
};

/// Checks the first bytes of a file by pread(), which cannot fault: what a segment must say of
/// itself before it is mapped. The sentence is empty when ok.
struct HeaderVerdict {
  OpenOutcome outcome = OpenOutcome::ok;
  std::string sentence;
};
[[nodiscard]] HeaderVerdict check_segment_header(int descriptor, const std::string& what,
                                                 const OpenOptions& options);

}  // namespace fairlead::shm
