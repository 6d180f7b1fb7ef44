#include "traced_mappings.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace fairlead::killing {
namespace {

bool is_fairlead(const char* path) noexcept {
  return std::strstr(path, "/dev/shm/fairlead.") != nullptr ||
         std::strstr(path, "/memfd:fairlead.") != nullptr;
}

}  // namespace

void TracedMappings::put(const TracedMapping& mapping) {
  if (count_ == mappings_.size()) std::abort();
  mappings_[count_++] = mapping;
}

void TracedMappings::find_all() {
  count_ = 0;
  std::FILE* file = std::fopen("/proc/self/maps", "re");
  if (file == nullptr) std::abort();
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char rights[8] = {};
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long inode = 0;
    if (std::sscanf(line, "%lx-%lx %7s %*s %*s %lu", &begin, &end, rights, &inode) != 4) continue;
    if (rights[1] != 'w' || rights[3] != 's' || !is_fairlead(line)) continue;
    put({begin, end, inode, -1});
  }
  std::fclose(file);
}

void TracedMappings::add(std::uintptr_t begin, std::size_t bytes, int descriptor) {
  char link[64];
  char path[256] = {};
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  if (::readlink(link, path, sizeof path - 1) <= 0 || !is_fairlead(path)) return;
  struct stat file {};
  ::fstat(descriptor, &file);
  put({begin, begin + (bytes + kPageBytes - 1) / kPageBytes * kPageBytes, file.st_ino,
       ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)});
  protect(begin, bytes);
}

void TracedMappings::remove(std::uintptr_t begin, std::size_t bytes) {
  for (std::size_t each = 0; each < count_;) {
    TracedMapping& mapping = mappings_[each];
    if (mapping.begin < begin || mapping.begin >= begin + bytes) {
      ++each;
      continue;
    }
    if (mapping.descriptor >= 0) ::close(mapping.descriptor);
    mapping = mappings_[--count_];
  }
}

const TracedMapping* TracedMappings::at(std::uintptr_t address) const noexcept {
  for (const TracedMapping& mapping : *this) {
    if (address >= mapping.begin && address < mapping.end) return &mapping;
  }
  return nullptr;
}

void TracedMappings::protect_all() const noexcept {
  for (const TracedMapping& mapping : *this) protect(mapping.begin, mapping.end - mapping.begin);
}

void TracedMappings::open_all() const noexcept {
  for (const TracedMapping& mapping : *this) open(mapping.begin, mapping.end - mapping.begin);
}

void TracedMappings::open(std::uintptr_t page, std::size_t bytes) noexcept {
  ::mprotect(reinterpret_cast<void*>(page), bytes, PROT_READ | PROT_WRITE);
}

void TracedMappings::protect(std::uintptr_t page, std::size_t bytes) noexcept {
  ::mprotect(reinterpret_cast<void*>(page), bytes, PROT_READ);
}

}  // namespace fairlead::killing
