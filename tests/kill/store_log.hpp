// What the stores of a traced process did to its shared files, in order, in memory that outlives
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::killing {

struct StoreEvent {
  enum class Kind : std::uint32_t {
    file,   // `value` is the inode, the data its path
    size,   // `value` is the new size of the file
    gone,   // its name was removed
    store,  // the data, at `value`
  };
  Kind kind;
  std::uint32_t file;  // its index, in order of appearance
  std::uint64_t value;
  std::uint32_t bytes;
  std::uint32_t data;  // where it begins
};

/// Written by one thread at a time, also in signal handlers; read by others once the writer has
/// ended.
class StoreLog {
 public:
  static StoreLog& make();  // unmapped by nobody: of a process that lives for one scenario

  void file(std::uint64_t inode, int descriptor) noexcept;  // sizes, names and removal of all files
  void store(std::uint64_t inode, std::uint64_t offset, const void* bytes,
             std::size_t count) noexcept;

  std::size_t at = 0;  // for whoever reads: where, so that others know when it has crashed

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] const StoreEvent& operator[](std::size_t index) const noexcept {
    return events_[index];
  }
  [[nodiscard]] std::string_view data(const StoreEvent& event) const noexcept {
    return {data_ + event.data, event.bytes};
  }

 private:
  static constexpr std::size_t kMostEvents = 1U << 17U;
  static constexpr std::size_t kMostData = 1U << 24U;
  static constexpr std::size_t kMostFiles = 64;
  struct File {
    std::uint64_t inode;
    std::uint64_t bytes;
    bool gone;
  };

  std::uint32_t index_of(std::uint64_t inode) const noexcept;
  void put(StoreEvent::Kind kind, std::uint32_t file, std::uint64_t value, const void* data,
           std::size_t bytes) noexcept;

  StoreLog() noexcept = default;  // what is not written to stays untouched pages

  std::size_t count_ = 0;
  std::size_t used_ = 0;
  std::size_t files_count_ = 0;
  File files_[kMostFiles];
  StoreEvent events_[kMostEvents];
  char data_[kMostData];
};

}  // namespace fairlead::killing
