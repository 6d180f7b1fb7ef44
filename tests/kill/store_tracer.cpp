#include "store_tracer.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "store_log.hpp"
#include "string_instruction.hpp"
#include "support/child_process.hpp"
#include "traced_mappings.hpp"

#if defined(__x86_64__) && !FAIRLEAD_SANITIZED

namespace fairlead::killing::store_tracer {
namespace {

constexpr greg_t kTrapFlag = 0x100;
constexpr std::size_t kWidestStore = 64;

// One instruction's bytes in one page.
struct Watched {
  std::uintptr_t page = 0;
  std::uintptr_t address = 0;
  std::size_t bytes = 0;
  unsigned char before[kWidestStore];
};

struct State {
  TracedMappings mappings;
  std::atomic<bool> armed{false};
  std::atomic<pid_t> owner{0};  // thread whose store is under way
  std::atomic<std::uint64_t>* points = nullptr;
  std::uint64_t kill_at = 0;
  StoreLog* log = nullptr;
  Watched watched[2];  // an instruction may cross into a second page
  std::size_t watched_count = 0;
};
State state;

pid_t this_thread() noexcept { return static_cast<pid_t>(::syscall(SYS_gettid)); }

/// False: it is this thread's already.
bool take() noexcept {
  const pid_t self = this_thread();
  if (state.owner.load() == self) return false;
  for (pid_t nobody = 0; !state.owner.compare_exchange_weak(nobody, self); nobody = 0) {
  }
  return true;
}

void give_back() noexcept { state.owner.store(0); }

// The kernel has to mark the robust mutex of the dead: it needs to write to the mapping for that.
[[noreturn]] void die() noexcept {
  state.mappings.open_all();
  test::send_signal(::getpid(), SIGKILL);
  for (;;) ::pause();
}

void count_point() noexcept {
  if (state.points->fetch_add(1) + 1 == state.kill_at) die();
}

void log_files() noexcept {
  for (const TracedMapping& mapping : state.mappings) {
    if (mapping.descriptor >= 0) state.log->file(mapping.inode, mapping.descriptor);
  }
}

void log_store(std::uintptr_t address, std::size_t bytes) noexcept {
  const TracedMapping* mapping = state.mappings.at(address);
  state.log->store(mapping->inode, address - mapping->begin, reinterpret_cast<const void*>(address),
                   bytes);
}

// ---- single stores ------------------------------------------------------------------------------

void watch(std::uintptr_t address) noexcept {
  Watched& watched = state.watched[state.watched_count++];
  watched.page = address & ~(TracedMappings::kPageBytes - 1);
  watched.address = address;
  watched.bytes =
      std::min<std::size_t>(kWidestStore, watched.page + TracedMappings::kPageBytes - address);
  if (state.log != nullptr)
    std::memcpy(watched.before, reinterpret_cast<const void*>(address), watched.bytes);
  TracedMappings::open(watched.page);
}

void unwatch() noexcept {
  for (std::size_t each = 0; each < state.watched_count; ++each) {
    const Watched& watched = state.watched[each];
    TracedMappings::protect(watched.page);
    if (state.log == nullptr) continue;
    const auto* now = reinterpret_cast<const unsigned char*>(watched.address);
    std::size_t first = 0;
    std::size_t last = watched.bytes;
    while (first < last && now[first] == watched.before[first]) ++first;
    while (last > first && now[last - 1] == watched.before[last - 1]) --last;
    if (first < last) log_store(watched.address + first, last - first);
  }
  state.watched_count = 0;
}

// ---- repeated string instructions ---------------------------------------------------------------

void carry_out(StringInstruction& instruction, std::size_t units) noexcept {
  const std::uintptr_t address = instruction.target();
  const std::uintptr_t page = address & ~(TracedMappings::kPageBytes - 1);
  const std::size_t bytes = instruction.bytes_of(units);
  TracedMappings::open(page, address + bytes - page);
  instruction.carry_out(units);
  TracedMappings::protect(page, address + bytes - page);
  if (state.log != nullptr && bytes > 0) log_store(address, bytes);
}

bool carried_out(mcontext_t& machine) noexcept {
  StringInstruction instruction(machine);
  if (!instruction.valid()) return false;
  const std::size_t half = instruction.left() / 2;
  carry_out(instruction, half);
  count_point();
  carry_out(instruction, instruction.left());
  instruction.finish();
  return true;
}

// ---- signals ------------------------------------------------------------------------------------

void on_fault(int, siginfo_t* info, void* context) noexcept {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const bool first = take();
  if (state.mappings.at(address) == nullptr || (machine.gregs[REG_ERR] & 2) == 0) {
    ::signal(SIGSEGV, SIG_DFL);  // not ours: happens again, and kills
    return;
  }
  if (!state.armed.load()) {
    state.mappings.open_all();
    return give_back();
  }
  if (first) {
    if (state.log != nullptr) log_files();
    count_point();
    if (carried_out(machine)) return give_back();
  }
  watch(address);
  machine.gregs[REG_EFL] |= kTrapFlag;
}

void on_step(int, siginfo_t*, void* context) noexcept {
  unwatch();
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  give_back();
}

void handle(int number, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(number, &action, nullptr);
}

}  // namespace

void arm(std::atomic<std::uint64_t>& points, std::uint64_t kill_at, StoreLog* log) {
  (void)take();
  state.points = &points;
  state.kill_at = kill_at;
  state.log = log;
  state.mappings.find_all();
  handle(SIGSEGV, on_fault);
  handle(SIGTRAP, on_step);
  state.armed.store(true);
  state.mappings.protect_all();
  give_back();
}

void disarm() {
  (void)take();
  if (state.log != nullptr) log_files();
  state.armed.store(false);
  state.mappings.open_all();
  give_back();
}

namespace {

void mapped(void* begin, std::size_t bytes, int protection, int flags, int descriptor) {
  if (begin == MAP_FAILED || descriptor < 0 || !state.armed.load()) return;
  if ((protection & PROT_WRITE) == 0 || (flags & MAP_SHARED) == 0) return;
  (void)take();
  state.mappings.add(reinterpret_cast<std::uintptr_t>(begin), bytes, descriptor);
  give_back();
}

void about_to_unmap(void* begin, std::size_t bytes) {
  if (!state.armed.load()) return;
  (void)take();
  if (state.log != nullptr) log_files();
  state.mappings.remove(reinterpret_cast<std::uintptr_t>(begin), bytes);
  give_back();
}

}  // namespace
}  // namespace fairlead::killing::store_tracer

// Instead of the C library's, in this whole program.
extern "C" void* mmap(void* address, std::size_t bytes, int protection, int flags, int descriptor,
                      off_t offset) noexcept {
  auto* const begin = reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, bytes, protection, flags, descriptor, offset));
  fairlead::killing::store_tracer::mapped(begin, bytes, protection, flags, descriptor);
  return begin;
}

extern "C" int munmap(void* begin, std::size_t bytes) noexcept {
  fairlead::killing::store_tracer::about_to_unmap(begin, bytes);
  return static_cast<int>(::syscall(SYS_munmap, begin, bytes));
}

#else

namespace fairlead::killing::store_tracer {

void arm(std::atomic<std::uint64_t>&, std::uint64_t, StoreLog*) {}
void disarm() {}

}  // namespace fairlead::killing::store_tracer

#endif
