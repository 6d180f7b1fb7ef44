// The one place that builds and parses segment names.
//
//   fairlead.<broker>.table                                 one per broker, survives it
//   fairlead.<broker>.<epoch>.<kind>.<id>.<random>          everything else
//
// <broker> is 1 to 48 bytes of [A-Za-z0-9_-]; <epoch> and <id> are decimal u64 without leading
// zeros; <random> is 16 lower-case hex digits from getrandom(), so that nobody can squat a name
// before we make it. Names are compared and stored without the leading slash of shm_open().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/segment_header.hpp>

namespace fairlead::shm {

inline constexpr std::string_view kSharedMemoryDirectory = "/dev/shm";
inline constexpr std::string_view kSegmentNamePrefix = "fairlead.";
/// No name that this file builds is longer; fixed-size fields may rely on it.
inline constexpr std::size_t kLongestSegmentNameBytes = 124;

/// "table", "route", ...; "unknown" for `none` and any other number.
std::string_view to_string(SegmentKind kind) noexcept;
std::optional<SegmentKind> parse_segment_kind(std::string_view text) noexcept;

struct SegmentName {
  std::string broker;
  SegmentKind kind = SegmentKind::table;
  std::uint64_t epoch = 0;   // 0 for a table
  std::uint64_t id = 0;      // 0 for a table
  std::uint64_t random = 0;  // 0 for a table

  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};

bool is_valid_broker_name(std::string_view name) noexcept;

/// Both throw Error(invalid_argument) for a bad broker name; make_segment_name also for kind table
/// and Error(system) when the kernel has no random bytes.
std::string table_segment_name(std::string_view broker);
std::string make_segment_name(std::string_view broker, std::uint64_t epoch, SegmentKind kind,
                              std::uint64_t id);

/// The exact inverse of parse_segment_name. Throws Error(invalid_argument) for a bad broker name.
std::string to_string(const SegmentName& name);

/// Empty unless `name` is exactly what to_string() would build.
std::optional<SegmentName> parse_segment_name(std::string_view name) noexcept;

/// The path of a segment for open(), stat() and messages: "/dev/shm/fairlead.main.table".
std::string segment_path(std::string_view name,
                         std::string_view directory = kSharedMemoryDirectory);

struct ListedSegment {
  std::string file;                 // as it stands in the directory
  std::optional<SegmentName> name;  // empty: has our prefix, but is not one of our names
};

/// Everything in `directory` that begins with "fairlead.", sorted by file name. A directory that
/// does not exist is empty; one that cannot be read throws Error.
std::vector<ListedSegment> list_segments(std::string_view directory = kSharedMemoryDirectory);

}  // namespace fairlead::shm
