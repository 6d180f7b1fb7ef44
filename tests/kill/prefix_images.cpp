#include "prefix_images.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include <fairlead/shm/layout/segment_header.hpp>

namespace fairlead::killing {
namespace {

constexpr std::size_t kMostBytes = std::size_t{256} << 20U;
constexpr std::string_view kNamedPrefix = "/dev/shm/";
constexpr std::string_view kSealedPrefix = "/memfd:";

std::string file_name_of(const std::string& path) {
  const bool named = path.starts_with(kNamedPrefix);
  const std::string rest = path.substr((named ? kNamedPrefix : kSealedPrefix).size());
  return rest.substr(0, rest.find(' '));  // "... (deleted)"
}

}  // namespace

FileImage::FileImage(std::string path, std::string copy_directory)
    : file_name_(file_name_of(path)),
      name_(shm::parse_segment_name(file_name_)),
      copy_path_(copy_directory + '/' + file_name_),
      named_(path.starts_with(kNamedPrefix)),
      memory_(static_cast<std::byte*>(::mmap(nullptr, kMostBytes, PROT_NONE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
  if (memory_ == MAP_FAILED) std::abort();
  if (named_) copy_ = ::open(copy_path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

FileImage::~FileImage() {
  if (copy_ >= 0) ::close(copy_);
  ::munmap(memory_, kMostBytes);
}

void FileImage::resize(std::size_t bytes) {
  if (bytes > kMostBytes) std::abort();
  size_ = bytes;
  ::mprotect(memory_, size_, PROT_READ | PROT_WRITE);
  ::mprotect(memory_ + size_, kMostBytes - size_, PROT_NONE);
  ::madvise(memory_ + size_, kMostBytes - size_, MADV_DONTNEED);  // zero when it grows again
  if (copy_ >= 0 && ::ftruncate(copy_, static_cast<off_t>(bytes)) != 0) std::abort();
}

void FileImage::write(std::size_t offset, std::string_view data) {
  std::memcpy(memory_ + offset, data.data(), data.size());
  if (copy_ >= 0 && ::pwrite(copy_, data.data(), data.size(), static_cast<off_t>(offset)) < 0)
    std::abort();
}

void FileImage::remove_name() {
  if (named_) ::unlink(copy_path_.c_str());
  named_ = false;
}

bool FileImage::ready() const noexcept {
  return size_ >= sizeof(shm::SegmentHeader) &&
         reinterpret_cast<const shm::SegmentHeader*>(memory_)->version.load() != 0;
}

PrefixImages::PrefixImages(const StoreLog& log, std::string directory)
    : log_(log), directory_(std::move(directory)) {}

void PrefixImages::apply_next() {
  const StoreEvent& event = log_[applied_++];
  const std::string_view data = log_.data(event);
  if (event.kind == StoreEvent::Kind::file)
    files_.push_back(std::make_unique<FileImage>(std::string(data), directory_));
  FileImage& file = *files_.at(event.file);
  table_changed_ = file.name() && file.name()->kind == shm::SegmentKind::table;
  switch (event.kind) {
    case StoreEvent::Kind::file:
      break;
    case StoreEvent::Kind::size:
      return file.resize(event.value);
    case StoreEvent::Kind::gone:
      return file.remove_name();
    case StoreEvent::Kind::store:
      return file.write(event.value, data);
  }
}

const FileImage* PrefixImages::find(shm::SegmentKind kind, std::uint64_t id) const noexcept {
  for (const auto& file : files_) {
    if (file->name() && file->name()->kind == kind && file->name()->id == id) return file.get();
  }
  return nullptr;
}

}  // namespace fairlead::killing
