#include "call_site.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::test {
namespace {

constexpr int kFrames = 4;
constexpr std::uint64_t kPage = 4'096;
constexpr std::size_t kPagesAtOnce = 4;
constexpr std::size_t kMostPages = 48;  // some functions have large buffers on the stack

// Page by page, so that what lies before the stack's end is read where it ends.
std::vector<std::uint64_t> read_words(pid_t thread, std::uint64_t from, std::size_t pages) {
  std::vector<std::uint64_t> words(pages * kPage / sizeof(std::uint64_t));
  std::array<iovec, kPagesAtOnce> there{};
  std::uint64_t at = from;
  for (std::size_t page = 0; page < pages; ++page) {
    const std::uint64_t bytes = kPage - at % kPage;
    there[page] = {reinterpret_cast<void*>(at), bytes};
    at += bytes;
  }
  const iovec here{words.data(), at - from};
  const ssize_t got = ::process_vm_readv(thread, &here, 1, there.data(), pages, 0);
  words.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof(std::uint64_t) : 0);
  return words;
}

}  // namespace

ProgramText::ProgramText(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process);
  std::error_code error;
  const std::string path = std::filesystem::read_symlink(folder + "/exe", error).string();
  std::ifstream maps(folder + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string rights;
    std::string device;
    std::string inode;
    std::string name;
    char dash = 0;
    std::uint64_t offset = 0;
    fields >> std::hex >> begin_ >> dash >> end_ >> rights >> offset >> device >> inode >> name;
    if (name != path || !rights.starts_with("r-x")) continue;
    map_file(path, offset);
    break;
  }
}

void ProgramText::map_file(const std::string& path, std::uint64_t offset) {
  const shm::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::size_t bytes = end_ - begin_;
  void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), static_cast<off_t>(offset));
  if (at != MAP_FAILED) code_ = {static_cast<const std::byte*>(at), bytes};
}

ProgramText::~ProgramText() {
  if (!code_.empty()) ::munmap(const_cast<std::byte*>(code_.data()), code_.size());
}

// Which forms of `call` g++ and clang write. Other words of the stack may look like addresses.
bool ProgramText::follows_a_call(std::uint64_t address) const noexcept {
  if (address < begin_ + 8 || address >= end_) return false;
  const auto byte = [&](std::uint64_t before) {
    return std::to_integer<unsigned>(code_[address - begin_ - before]);
  };
  const auto indirect = [&](std::uint64_t length) {
    return byte(length) == 0xff && (byte(length - 1) & 0x38U) == 0x10;
  };
  return byte(5) == 0xe8 || indirect(2) || indirect(3) || indirect(6) || indirect(7) ||
         (indirect(4) && (byte(3) & 0x07U) == 4);
}

std::uint64_t ProgramText::site(pid_t thread, std::uint64_t stack_pointer) const {
  if (code_.empty()) return 0;
  std::uint64_t hash = 0xcbf29ce484222325;
  int frames = 0;
  for (std::size_t page = 0; page < kMostPages && frames < kFrames; page += kPagesAtOnce) {
    const std::uint64_t from = page == 0 ? stack_pointer : (stack_pointer / kPage + page) * kPage;
    const auto words = read_words(thread, from, kPagesAtOnce);
    for (const std::uint64_t word : words) {
      if (!follows_a_call(word)) continue;
      hash = (hash ^ (word - begin_)) * 0x100000001b3;
      if (++frames == kFrames) break;
    }
    if (words.size() < (kPagesAtOnce - 1) * kPage / sizeof(std::uint64_t)) break;  // its end
  }
  return frames == 0 ? 0 : hash;
}

}  // namespace fairlead::test
