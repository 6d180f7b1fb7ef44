// Segments for tests: names that no other test uses, files that are gone afterwards, and headers
// as a broker would have written them.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::test {

inline constexpr std::size_t kPage = 4096;

/// A route's name with random digits; the file of that name is removed with this object.
class TestName {
 public:
  TestName()
      : name_(shm::make_segment_name("test", static_cast<std::uint64_t>(::getpid()),
                                     shm::SegmentKind::route, 1)) {}
  ~TestName() { ::unlink(path().c_str()); }
  TestName(const TestName&) = delete;
  TestName& operator=(const TestName&) = delete;

  const std::string& name() const { return name_; }
  std::string path() const { return shm::segment_path(name_); }
  bool exists() const {
    struct stat found {};
    return ::lstat(path().c_str(), &found) == 0;
  }

 private:
  std::string name_;
};

/// What an honest broker writes at the start of a segment. `version` goes last, as it must.
inline void write_header(shm::Segment& segment, shm::SegmentKind kind = shm::SegmentKind::route,
                         std::uint32_t version = shm::kLayoutVersion,
                         std::uint64_t layout_hash = shm::kLayoutHash,
                         std::uint64_t magic = shm::kSegmentMagic) {
  auto* header = reinterpret_cast<shm::SegmentHeader*>(segment.data());
  header->magic = magic;
  header->kind = kind;
  header->layout_hash = layout_hash;
  header->maximum_bytes = segment.size();
  header->version.store(version, std::memory_order_release);  // sync: segment-ready
}

}  // namespace fairlead::test
