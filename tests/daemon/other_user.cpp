#include "other_user.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <fairlead/shm/unique_fd.hpp>

#include "support/child_process.hpp"

namespace fairlead::test {
namespace {

std::string again(const Memory& memory) {
  return "/proc/self/fd/" + std::to_string(memory.descriptor);
}

void* map(const Memory& memory, int protection) {
  void* const at = ::mmap(nullptr, memory.bytes, protection, MAP_SHARED, memory.descriptor, 0);
  return at == MAP_FAILED ? nullptr : at;
}

bool make_writable(const Memory& memory, void* at) {
  return at != nullptr && ::mprotect(at, memory.bytes, PROT_READ | PROT_WRITE) == 0;
}

// A second mapping of the same pages, by way of the first.
bool make_copy_writable(const Memory& memory) {
  void* const first = map(memory, PROT_READ);
  if (first == nullptr) return false;
  void* const second = ::mremap(first, 0, memory.bytes, MREMAP_MAYMOVE);
  return second != MAP_FAILED && make_writable(memory, second);
}

bool punch_by_mapping(const Memory& memory) {
  void* at = map(memory, PROT_READ | PROT_WRITE);
  if (at == nullptr) at = map(memory, PROT_READ);
  return at != nullptr && ::madvise(at, memory.bytes, MADV_REMOVE) == 0;
}

bool link_by(const char* from, int descriptor, int flags, const Memory& memory) {
  const std::string to = memory.path + ".link";
  if (::linkat(descriptor, from, AT_FDCWD, to.c_str(), flags) != 0) return false;
  ::unlink(to.c_str());
  return true;
}

bool rename_away(const Memory& memory) {
  const std::string to = memory.path + ".away";
  if (::rename(memory.path.c_str(), to.c_str()) != 0) return false;
  ::rename(to.c_str(), memory.path.c_str());
  return true;
}

bool rename_over(const Memory& memory) {
  const std::string ours = memory.path + ".ours";
  const shm::UniqueFd made(::open(ours.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const bool done = made && ::rename(ours.c_str(), memory.path.c_str()) == 0;
  ::unlink(ours.c_str());
  return done;
}

bool open_by_handle(const Memory& memory) {
  alignas(file_handle) unsigned char room[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* const handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(memory.descriptor, "", handle, &mount, AT_EMPTY_PATH) != 0) return false;
  const shm::UniqueFd place(::open("/dev/shm", O_RDONLY | O_CLOEXEC));
  return shm::UniqueFd(::open_by_handle_at(place.get(), handle, O_RDWR)).valid();
}

std::string proc(pid_t process, const char* file) {
  return "/proc/" + std::to_string(process) + "/" + file;
}

bool trace(pid_t process) {
  if (::ptrace(PTRACE_SEIZE, process, nullptr, nullptr) != 0) return false;
  ::ptrace(PTRACE_INTERRUPT, process, nullptr, nullptr);
  ::waitpid(process, nullptr, __WALL);
  ::ptrace(PTRACE_DETACH, process, nullptr, nullptr);
  return true;
}

// A page that every process that was forked from us has where we have it.
bool write_memory(pid_t process) {
  static char byte = 0;
  const iovec part{&byte, 1};
  return ::process_vm_writev(process, &part, 1, &part, 1, 0) == 1;
}

bool take_descriptor(pid_t process) {
  const shm::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  return shm::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, handle.get(), 0, 0))).valid();
}

bool cut_limits(pid_t process) {
  rlimit limit{};
  return ::prlimit(process, RLIMIT_NOFILE, nullptr, &limit) == 0 &&
         ::prlimit(process, RLIMIT_NOFILE, &limit, nullptr) == 0;
}

bool pin_to_processor(pid_t process) {
  cpu_set_t all;
  return ::sched_getaffinity(process, sizeof all, &all) == 0 &&
         ::sched_setaffinity(process, sizeof all, &all) == 0;
}

}  // namespace

bool become(uid_t user) {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
         ::setresuid(user, user, user) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

void Findings::expect(bool right, const std::string& what) {
  if (!right) text_ += what + " (errno " + std::to_string(errno) + "); ";
}

bool can_open(const std::string& path, int how) {
  return shm::UniqueFd(::open(path.c_str(), how | O_CLOEXEC)).valid();
}

const std::vector<MemoryAttempt>& memory_attempts() {
  static const std::vector<MemoryAttempt> all = {
      {"reopen it for reading and writing", OnOwn::file,
       [](const Memory& m) { return can_open(again(m), O_RDWR); }},
      {"reopen it for writing", OnOwn::file,
       [](const Memory& m) { return can_open(again(m), O_WRONLY); }},
      {"map it writable", OnOwn::file,
       [](const Memory& m) { return map(m, PROT_READ | PROT_WRITE) != nullptr; }},
      {"make a mapping writable", OnOwn::file,
       [](const Memory& m) { return make_writable(m, map(m, PROT_READ)); }},
      {"make a mapping's copy writable", OnOwn::file, make_copy_writable},
      {"write", OnOwn::file,
       [](const Memory& m) { return ::pwrite(m.descriptor, "x", 1, 0) == 1; }},
      {"punch a hole", OnOwn::file,
       [](const Memory& m) {
         return ::fallocate(m.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4'096) ==
                0;
       }},
      {"punch a hole through a mapping", OnOwn::file, punch_by_mapping},
      {"grow it", OnOwn::file,
       [](const Memory& m) { return ::fallocate(m.descriptor, 0, 0, 1 << 20) == 0; }},
      {"cut it", OnOwn::file,
       [](const Memory& m) { return ::ftruncate(m.descriptor, 4'096) == 0; }},
      {"cut it by its path in proc", OnOwn::file,
       [](const Memory& m) { return ::truncate(again(m).c_str(), 4'096) == 0; }},
      {"cut it by opening it", OnOwn::file,
       [](const Memory& m) { return can_open(again(m), O_RDONLY | O_TRUNC); }},
      {"seal it", OnOwn::sealable,
       [](const Memory& m) { return ::fcntl(m.descriptor, F_ADD_SEALS, F_SEAL_GROW) == 0; }},
      {"take a lease on it", OnOwn::nothing,
       [](const Memory& m) { return ::fcntl(m.descriptor, F_SETLEASE, F_RDLCK) == 0; }},
      {"change its mode", OnOwn::file,
       [](const Memory& m) { return ::fchmod(m.descriptor, 0666) == 0; }},
      {"change its mode by its path in proc", OnOwn::file,
       [](const Memory& m) { return ::chmod(again(m).c_str(), 0666) == 0; }},
      {"take it over", OnOwn::file,
       [](const Memory& m) { return ::fchown(m.descriptor, ::geteuid(), ::getegid()) == 0; }},
      {"set its times", OnOwn::file,
       [](const Memory& m) { return ::futimens(m.descriptor, nullptr) == 0; }},
      {"link it by its path in proc", OnOwn::file,
       [](const Memory& m) { return link_by(again(m).c_str(), AT_FDCWD, AT_SYMLINK_FOLLOW, m); }},
      {"link it by its descriptor", OnOwn::nothing,
       [](const Memory& m) { return link_by("", m.descriptor, AT_EMPTY_PATH, m); }},
      {"open it by its handle", OnOwn::nothing, open_by_handle},
      {"open its name", OnOwn::file, [](const Memory& m) { return can_open(m.path, O_RDONLY); }},
      {"open its name for writing", OnOwn::file,
       [](const Memory& m) { return can_open(m.path, O_RDWR); }},
      {"link its name", OnOwn::file,
       [](const Memory& m) { return link_by(m.path.c_str(), AT_FDCWD, 0, m); }},
      {"rename it", OnOwn::file, rename_away},
      {"put another file in its place", OnOwn::file, rename_over},
      {"remove its name", OnOwn::file,
       [](const Memory& m) { return ::unlink(m.path.c_str()) == 0; }},
  };
  return all;
}

const std::vector<ProcessAttempt>& inspections() {
  static const std::vector<ProcessAttempt> all = {
      {"trace it", trace},
      {"write its memory", write_memory},
      {"open its memory", [](pid_t p) { return can_open(proc(p, "mem"), O_RDWR); }},
      {"take a descriptor", take_descriptor},
      {"open a descriptor", [](pid_t p) { return can_open(proc(p, "fd/0"), O_RDONLY); }},
      {"list descriptors", [](pid_t p) { return can_open(proc(p, "fd"), O_RDONLY); }},
      {"see its mappings", [](pid_t p) { return can_open(proc(p, "maps"), O_RDONLY); }},
      {"see its environment", [](pid_t p) { return can_open(proc(p, "environ"), O_RDONLY); }},
  };
  return all;
}

const std::vector<ProcessAttempt>& meddlings() {
  static const std::vector<ProcessAttempt> all = {
      {"signal it", [](pid_t p) { return send_signal(p, 0); }},
      {"change its limits", cut_limits},
      {"change its priority",
       [](pid_t p) { return ::setpriority(PRIO_PROCESS, static_cast<id_t>(p), 19) == 0; }},
      {"pin it to a processor", pin_to_processor},
  };
  return all;
}

std::string successes(const std::vector<ProcessAttempt>& attempts, pid_t process) {
  std::string names;
  for (const ProcessAttempt& each : attempts)
    if (each.succeeds(process)) names += std::string(each.name) + "; ";
  return names;
}

std::string successes(const Memory& memory) {
  // Where the kernel lets everybody link everything, a second name is no way in either.
  char linking = '1';
  const shm::UniqueFd setting(::open("/proc/sys/fs/protected_hardlinks", O_RDONLY | O_CLOEXEC));
  (void)!::read(setting.get(), &linking, 1);
  std::string names;
  for (const MemoryAttempt& each : memory_attempts())
    if (each.succeeds(memory) &&
        (linking != '0' || !std::string_view(each.name).starts_with("link")))
      names += std::string(each.name) + "; ";
  return names;
}

}  // namespace fairlead::test
