// A segment's content as the dump tool sees it: read by copying, never mapped. A file that somebody
// cuts, fills or replaces while it is read is a failed read or a nonsensical copy, never a signal.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::tools::dump {

class SegmentBytes {
 public:
  SegmentBytes() = default;
  SegmentBytes(const SegmentBytes&) = delete;
  SegmentBytes& operator=(const SegmentBytes&) = delete;
  virtual ~SegmentBytes() = default;

  /// Copies all of [offset, offset + bytes), or says false. Two calls may see two states.
  [[nodiscard]] virtual bool read(std::uint64_t offset, void* to,
                                  std::size_t bytes) const noexcept = 0;
  /// At this moment.
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
};

// A regular file, by pread().
class FileBytes final : public SegmentBytes {
 public:
  explicit FileBytes(shm::UniqueFd descriptor) noexcept : descriptor_(std::move(descriptor)) {}

  [[nodiscard]] bool read(std::uint64_t offset, void* to,
                          std::size_t bytes) const noexcept override;
  [[nodiscard]] std::uint64_t size() const noexcept override;

 private:
  shm::UniqueFd descriptor_;
};

// A private copy of one mapped struct. What is in it stays as it was read, but nothing says that it
// makes sense.
template <class Struct>
class Image {
 public:
  [[nodiscard]] bool read(const SegmentBytes& bytes, std::uint64_t offset) noexcept {
    return bytes.read(offset, copy_.data(), copy_.size());
  }
  [[nodiscard]] const Struct& operator*() const noexcept {
    return *reinterpret_cast<const Struct*>(copy_.data());
  }
  [[nodiscard]] const Struct* operator->() const noexcept { return &**this; }

 private:
  alignas(Struct) std::array<std::byte, sizeof(Struct)> copy_{};
};

// A word of an image: nobody else writes there, so any order will do.
template <class T>
T word(const std::atomic<T>& value) noexcept {
  return value.load(std::memory_order_relaxed);
}

}  // namespace fairlead::tools::dump
