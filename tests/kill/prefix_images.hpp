// The shared files as they were after some number of logged stores.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fairlead/shm/segment_name.hpp>

#include "store_log.hpp"

namespace fairlead::killing {

/// One file in memory of its own. Touching what lies beyond its size kills, as it would there.
class FileImage {
 public:
  FileImage(std::string path, std::string copy_path);
  ~FileImage();
  FileImage(const FileImage&) = delete;
  FileImage& operator=(const FileImage&) = delete;

  void resize(std::size_t bytes);
  void write(std::size_t offset, std::string_view data);
  void remove_name();

  [[nodiscard]] bool named() const noexcept { return named_; }  // and not removed
  [[nodiscard]] const std::optional<shm::SegmentName>& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& file_name() const noexcept { return file_name_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {memory_, size_}; }
  /// Its header is there (a guest gets it only then).
  [[nodiscard]] bool ready() const noexcept;

 private:
  std::string file_name_;
  std::optional<shm::SegmentName> name_;
  std::string copy_path_;  // the same content, for those who read files
  bool named_;
  int copy_ = -1;
  std::byte* memory_;
  std::size_t size_ = 0;
};

/// All files, moving forward through the log.
class PrefixImages {
 public:
  /// Copies of the named ones are kept in `directory`.
  PrefixImages(const StoreLog& log, std::string directory);
  void apply_next();
  [[nodiscard]] std::size_t applied() const noexcept { return applied_; }
  [[nodiscard]] bool table_changed() const noexcept { return table_changed_; }  // just now

  [[nodiscard]] const std::vector<std::unique_ptr<FileImage>>& files() const noexcept {
    return files_;
  }
  [[nodiscard]] const FileImage* find(shm::SegmentKind kind, std::uint64_t id) const noexcept;

 private:
  const StoreLog& log_;
  std::string directory_;
  std::size_t applied_ = 0;
  bool table_changed_ = false;
  std::vector<std::unique_ptr<FileImage>> files_;
};

}  // namespace fairlead::killing
