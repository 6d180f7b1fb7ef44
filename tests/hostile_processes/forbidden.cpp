// What an intruder must not be able to do with what it was given. That it can is a failure at once.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

#include "intruder.hpp"

namespace fairlead::hostile_processes {

void Intruder::must_fail(bool worked, const char* what) {
  if (worked) throw std::runtime_error(std::string("an intruder could ") + what);
  ++progress_.forbidden;
}

namespace {

bool can_map_writable(int descriptor) {
  void* const memory = ::mmap(nullptr, 4'096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory != MAP_FAILED) ::munmap(memory, 4'096);
  return memory != MAP_FAILED;
}

bool can_become_writable(std::span<std::byte> memory) {
  if (::mprotect(memory.data(), 4'096, PROT_READ | PROT_WRITE) != 0) return false;
  ::mprotect(memory.data(), 4'096, PROT_READ);
  return true;
}

bool can_punch(int descriptor) {
  return ::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4'096) == 0;
}

bool can_reopen(int descriptor) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  const int opened = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (opened >= 0) ::close(opened);
  return opened >= 0;
}

// Through the directory: of everybody's segments.
const char* open_a_named_segment() {
  DIR* const directory = ::opendir("/dev/shm");
  if (directory == nullptr) return nullptr;
  const char* worked = nullptr;
  while (const dirent* const entry = ::readdir(directory)) {
    if (std::string_view(entry->d_name).substr(0, 14) != "fairlead.test-") continue;
    const std::string path = std::string("/dev/shm/") + entry->d_name;
    if (::open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0) worked = "open a segment by its name";
    if (::truncate(path.c_str(), 0) == 0) worked = "truncate a segment by its name";
    if (::unlink(path.c_str()) == 0) worked = "remove a segment's name";
  }
  ::closedir(directory);
  return worked;
}

}  // namespace

void Intruder::try_forbidden() {
  if (!routes_.empty()) {
    Route& route = *routes_[below(routes_.size())];
    const int segment = route.segment.descriptor();
    const int cursors = route.cursors.descriptor();
    must_fail(can_map_writable(segment), "map a route writable");
    must_fail(can_become_writable(route.segment.bytes()), "make a route's mapping writable");
    must_fail(::ftruncate(segment, 0) == 0, "truncate a route");
    must_fail(can_punch(segment), "punch a hole into a route");
    must_fail(::write(segment, "x", 1) == 1, "write into a route");
    must_fail(::ftruncate(cursors, 0) == 0, "truncate its cursors");
    must_fail(::ftruncate(cursors, 1 << 30) == 0, "grow its cursors");
    must_fail(::fcntl(cursors, F_ADD_SEALS, F_SEAL_WRITE) == 0, "seal its cursors");
    must_fail(::fcntl(segment, F_ADD_SEALS, F_SEAL_WRITE) == 0, "seal a route");
    if (intruders_are_other_users()) must_fail(can_reopen(segment), "reopen a route for writing");
  }
  if (outbox_) {
    must_fail(::ftruncate(outbox_->descriptor(), 4'096) == 0, "truncate its outbox");
    must_fail(can_map_writable(receipts_->descriptor()), "map its receipts writable");
    must_fail(::ftruncate(receipts_->descriptor(), 0) == 0, "truncate its receipts");
    must_fail(can_punch(receipts_->descriptor()), "punch a hole into its receipts");
    if (intruders_are_other_users())
      must_fail(can_reopen(receipts_->descriptor()), "reopen its receipts for writing");
  }
  if (!intruders_are_other_users() || !one_in(8)) return;
  const char* const worked = open_a_named_segment();
  must_fail(worked != nullptr, worked);
}

}  // namespace fairlead::hostile_processes
