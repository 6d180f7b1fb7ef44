// A directory that plays /dev/shm, and what the dump tool makes of it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "dump/machine_reader.hpp"
#include "dump/model.hpp"

namespace fairlead::test {

class SegmentDirectory {
 public:
  SegmentDirectory();
  ~SegmentDirectory();
  SegmentDirectory(const SegmentDirectory&) = delete;
  SegmentDirectory& operator=(const SegmentDirectory&) = delete;

  void write(const std::string& file, std::string_view bytes, mode_t mode = 0600) const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string path_of(const std::string& file) const { return path_ + '/' + file; }

  /// With the clock of RouteBuilder::kNow; `writer` is what has become of every broker process.
  [[nodiscard]] tools::dump::MachineOptions options(
      tools::dump::ProcessState writer = tools::dump::ProcessState::gone) const;
  [[nodiscard]] tools::dump::MachineDump dump(
      tools::dump::ProcessState writer = tools::dump::ProcessState::gone) const;
  /// The only segment beside the table, or the table when there is no other.
  [[nodiscard]] tools::dump::SegmentDump only_segment(
      tools::dump::ProcessState writer = tools::dump::ProcessState::gone) const;

 private:
  std::string path_;
};

/// "corrupt: its eviction policy is 9 | ..." or "ok".
[[nodiscard]] std::string verdict_text(const tools::dump::SegmentDump& segment);

}  // namespace fairlead::test
